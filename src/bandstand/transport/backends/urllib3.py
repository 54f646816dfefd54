"""The transport on urllib3: pure Python, at home everywhere, safe in forked processes.

urllib3's timeouts are per socket operation, so an answer that trickles would never end. Here each read and write asks
the socket for no more than what is left of the exchange's one deadline.
"""

import http.client
import socket
import ssl
import threading
import time
from contextlib import closing
from typing import Any, ClassVar

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, IncompleteRead, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as AnyTimeoutError
from urllib3.util.ssl_ import create_urllib3_context

from bandstand.errors import ServiceError
from bandstand.transport.backends.base import (
    Request,
    Response,
    Transport,
    connection_failed,
    joined_headers,
    oversized,
    timed_out,
)
from bandstand.transport.config import ClientConfig

__all__ = ["Urllib3Transport"]

_POOLS = 64


class _Call(threading.local):
    """The deadline of the exchange that this thread is in the middle of."""

    deadline: float = 0.0


_call = _Call()


def _left() -> float:
    """Seconds until the deadline; never zero, which would make the socket non-blocking."""
    return max(1e-6, _call.deadline - time.perf_counter())  # sockets live on the system's clock, held or not


class _TimedSocket(socket.socket):
    """A socket whose reads and writes end at the deadline of the thread that uses it."""

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_left())
        return super().recv_into(*args)

    def sendall(self, *args: Any) -> None:
        self.settimeout(_left())
        super().sendall(*args)


class _TimedSSLSocket(ssl.SSLSocket):
    """The same for TLS."""

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_left())
        return super().recv_into(*args)

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(_left())
        super().sendall(data, flags)


class _LastLine:
    """The file that headers are read from; remembers the last line."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.line = b""

    def readline(self, *args: Any) -> bytes:
        self.line = self.file.readline(*args)
        return self.line

    def close(self) -> None:
        self.file.close()


class _WholeAnswer(http.client.HTTPResponse):
    """An answer whose headers are complete; http.client takes the end of the connection for the end of the headers."""

    fp: Any

    def begin(self) -> None:
        lines = self.fp = _LastLine(self.fp)
        try:
            super().begin()
        finally:
            if self.fp is lines:
                self.fp = lines.file
        if lines.line not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(lines.line)


class _TimedConnection(HTTPConnection):
    response_class = _WholeAnswer

    def connect(self) -> None:
        super().connect()
        plain = self.sock
        self.sock = _TimedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())


class _Pool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _SecureConnection(HTTPSConnection):  # timed by the SSL context's socket class
    response_class = _WholeAnswer


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Urllib3Transport(Transport):
    """One pool manager per process."""

    name: ClassVar[str] = "urllib3"

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._manager: PoolManager | None = None

    def send(self, request: Request) -> Response:
        """Exchange one request. Name resolution alone is not bounded by the timeout."""
        manager = self._manager or self._pools()
        _call.deadline = time.perf_counter() + request.timeout
        connect = min(self._config.connect_timeout.total_seconds(), request.timeout)
        try:
            answer = manager.urlopen(
                request.method,
                request.url,
                body=request.body,
                headers={"User-Agent": "bandstand", **request.headers},
                timeout=Timeout(connect=connect, read=request.timeout),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            return _whole(answer, limit=request.max_body_bytes)
        except HTTPError as error:
            raise _mapped(error) from error

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            manager, self._manager = self._manager, None
        if manager is not None:
            manager.clear()

    def _pools(self) -> PoolManager:
        with self._lock:
            if self._manager is None:
                self._manager = _manager(self._config.pool_size)
            return self._manager


def _whole(answer: BaseHTTPResponse, *, limit: int) -> Response:
    """Read the body and give the connection back; a connection with an unread rest is closed."""
    with closing(answer):
        body = answer.read(limit + 1, decode_content=False)
        if len(body) > limit:
            raise oversized(status=answer.status, limit=limit)
        if answer.length_remaining:  # a short body is an error only to who reads on
            raise IncompleteRead(len(body), answer.length_remaining)
        answer.release_conn()
    return Response(status=answer.status, headers=joined_headers(answer.headers.items()), body=body)


def _manager(pool_size: int) -> PoolManager:
    context = create_urllib3_context()
    context.load_default_certs()
    context.sslsocket_class = _TimedSSLSocket
    manager = PoolManager(num_pools=_POOLS, maxsize=pool_size, ssl_context=context)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager


def _mapped(error: HTTPError) -> ServiceError:
    # urllib3 hands on why the handshake failed as the first argument.
    distrusted = isinstance(error, SSLError) and isinstance(error.args[0], ssl.SSLCertVerificationError)
    never_connected = distrusted or isinstance(error, NewConnectionError | ConnectTimeoutError)
    late = isinstance(error, AnyTimeoutError) and not isinstance(error, NewConnectionError)
    # A body that the other side does not take is reported as an aborted connection with the timeout inside.
    late = late or any(isinstance(cause, TimeoutError) for cause in error.args)
    return timed_out(error, sent=not never_connected) if late else connection_failed(error, sent=not never_connected)
