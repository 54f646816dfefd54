"""The transport on urllib3: pure Python, at home everywhere, safe in forked processes.

urllib3's timeouts are per socket operation, so an answer that trickles would never end. Here each read and write asks
the socket for no more than what is left of the exchange's one deadline.
"""

import socket
import ssl
import threading
import time
from typing import Any, ClassVar

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
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


class _TimedConnection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        plain = self.sock
        self.sock = _TimedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


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
            body = answer.read(request.max_body_bytes + 1, decode_content=False)
            if len(body) > request.max_body_bytes:
                answer.close()
                raise oversized(status=answer.status, limit=request.max_body_bytes)
            answer.release_conn()
            return Response(status=answer.status, headers=joined_headers(answer.headers.items()), body=body)
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


def _manager(pool_size: int) -> PoolManager:
    context = create_urllib3_context()
    context.load_default_certs()
    context.sslsocket_class = _TimedSSLSocket
    manager = PoolManager(num_pools=_POOLS, maxsize=pool_size, ssl_context=context)
    manager.pool_classes_by_scheme = {"http": _TimedPool, "https": HTTPSConnectionPool}
    return manager


def _mapped(error: HTTPError) -> ServiceError:
    unsent = isinstance(error, NewConnectionError | ConnectTimeoutError)
    if isinstance(error, AnyTimeoutError) and not isinstance(error, NewConnectionError):
        return timed_out(error, sent=not unsent)
    return connection_failed(error, sent=not unsent)
