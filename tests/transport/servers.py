"""Servers on free ports that behave as a script says, byte by byte."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Connection", "Script", "answer", "echo_path", "serving"]


class Connection:
    """One accepted connection, as a script uses it."""

    def __init__(self, sock: socket.socket, number: int, done: threading.Event) -> None:
        self.sock = sock
        self.number = number
        self.done = done
        """Set when the test is over: whoever keeps a client waiting waits for this."""
        self._buffer = b""

    def request(self) -> bytes | None:
        """Read one request with its body; None when the other side closed."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(self._buffer) < length:
            received = self.sock.recv(65536)
            if not received:
                return None
            self._buffer += received
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return head + body

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._buffer:
            received = self.sock.recv(65536)
            if not received:
                return None
            self._buffer += received
        head, _, self._buffer = self._buffer.partition(mark)
        return head + mark

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def trickle(self, data: bytes, *, every: float) -> None:
        """Send byte by byte until the test is over."""
        for byte in data:
            self.send(bytes([byte]))
            if self.done.wait(every):
                return

    def reset(self) -> None:
        """Close with an RST instead of a FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Script = Callable[[Connection], None]


def answer(body: bytes = b"{}", *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP answer with a length."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def echo_path(connection: Connection) -> None:
    """Answer every request of a connection with its path."""
    while (request := connection.request()) is not None:
        connection.send(answer(b'"' + request.split(b" ")[1] + b'"'))


class _Server:
    def __init__(self, script: Script) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.script = script
        self.done = threading.Event()
        self.count = 0
        self.threads: list[threading.Thread] = []
        self.open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self) -> None:
        while not self.done.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.count += 1
            self.open.append(sock)
            thread = threading.Thread(target=self._serve, args=(Connection(sock, self.count, self.done),))
            self.threads.append(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):  # clients go away in the middle, as they should
            self.script(connection)
        with contextlib.suppress(OSError):
            connection.sock.close()

    def stop(self) -> None:
        self.done.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(script: Script) -> Iterator[_Server]:
    """A server for the block; `url` is its address, `count` how many connections it accepted."""
    server = _Server(script)
    acceptor = threading.Thread(target=server.accept)
    acceptor.start()
    try:
        yield server
    finally:
        server.stop()
        acceptor.join(5)
        for thread in server.threads:
            thread.join(5)
