"""Few system calls for many frames: py-amqp makes one for each message sent and nine for each received."""

import select
import socket
import ssl
from collections.abc import Callable
from typing import Any

import amqp
from amqp.method_framing import frame_writer

__all__ = ["Inlet", "Outlet", "writer"]

_CHUNK_BYTES = 65_536
"""Enough to make calls rare, and little enough for the server to work on it while the next is made."""


class Outlet:
    """Stands between the frames and the socket of a connection."""

    def __init__(self, write: Callable[[bytes | bytearray | memoryview], None]) -> None:
        self._write = write
        self._held: bytearray | None = None

    def write(self, frame: bytes | memoryview) -> None:
        """Send a frame, or keep it for later."""
        if self._held is None:
            self._write(frame)
            return
        self._held += frame
        if len(self._held) >= _CHUNK_BYTES:
            held, self._held = self._held, bytearray()
            self._write(held)

    def hold(self) -> None:
        """Gather frames from now on."""
        self._held = bytearray()

    def release(self) -> None:
        """Send what was gathered, and each frame at once from now on."""
        held, self._held = self._held, None
        if held:
            self._write(held)


def writer(connection: amqp.Connection, transport: Any) -> Any:
    """What py-amqp makes the frames of *connection* with; they leave by its `outlet`."""
    connection.outlet = Outlet(transport.write)
    return frame_writer(connection, connection.outlet)


class Inlet:
    """Stands between the socket and the frames of a connection that is read by one thread."""

    def __init__(self, connection: amqp.Connection) -> None:
        self._socket: socket.socket = connection.sock
        self._kept = b""
        self._at = 0
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        # Where py-amqp did not ask us, it would ask the socket: slower, and as right.
        connection.transport._quick_recv = self._recv  # noqa: SLF001 - there is no other way in

    def has_more(self) -> bool:
        """Whether at least a part of a frame can be read without waiting."""
        if self._at < len(self._kept):
            return True
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        return bool(self._poll.poll(0))

    def _recv(self, count: int) -> bytes:
        if self._at == len(self._kept):
            self._kept, self._at = self._socket.recv(_CHUNK_BYTES), 0
        found = self._kept[self._at : self._at + count]
        self._at += len(found)
        return found
