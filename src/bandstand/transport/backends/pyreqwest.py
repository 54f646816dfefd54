"""The transport on pyreqwest (hyper in Rust): the fastest measured, with a native runtime that dislikes forks.

Clients are made at the first call of a process. A process that forked after its parent had made one must not use it;
`bandstand.transport` sees to that.
"""

import threading
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from pyreqwest.client import Client, ClientBuilder, SyncClient, SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError

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

__all__ = ["PyreqwestTransport"]

_NEVER_CONNECTED = "client error (Connect)"

B = TypeVar("B", ClientBuilder, SyncClientBuilder)


class PyreqwestTransport(Transport):
    """One sync and one async client per process, each made when first used."""

    name: ClassVar[str] = "pyreqwest"

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._sync: SyncClient | None = None
        self._async: Client | None = None

    def send(self, request: Request) -> Response:
        """Exchange one request; the interpreter lock is released while it waits."""
        client = self._sync or self._sync_client()
        try:
            with _built(client, request).build_streamed() as answer:
                if _is_small(answer, request):
                    return _response(answer, bytes(answer.bytes()))
                body = bytearray()
                reader = answer.body_reader
                while (chunk := reader.read(request.max_body_bytes + 1 - len(body))) is not None:
                    body += chunk
                    if len(body) > request.max_body_bytes:
                        raise oversized(status=answer.status, limit=request.max_body_bytes)
                return _response(answer, bytes(body))
        except PyreqwestError as error:
            raise _mapped(error) from error

    async def asend(self, request: Request) -> Response:
        """Exchange one request on the event loop."""
        client = self._async or self._async_client()
        try:
            async with _built(client, request).build_streamed() as answer:
                if _is_small(answer, request):
                    return _response(answer, bytes(await answer.bytes()))
                body = bytearray()
                reader = answer.body_reader
                while (chunk := await reader.read(request.max_body_bytes + 1 - len(body))) is not None:
                    body += chunk
                    if len(body) > request.max_body_bytes:
                        raise oversized(status=answer.status, limit=request.max_body_bytes)
                return _response(answer, bytes(body))
        except PyreqwestError as error:
            raise _mapped(error) from error

    def close(self) -> None:
        """Close the sync client; the async one closes its connections when it is collected."""
        with self._lock:
            client, self._sync, self._async = self._sync, None, None
        if client is not None:
            client.close()

    def _sync_client(self) -> SyncClient:
        with self._lock:
            if self._sync is None:
                self._sync = _configured(SyncClientBuilder(), self._config).build()
            return self._sync

    def _async_client(self) -> Client:
        with self._lock:
            if self._async is None:
                self._async = _configured(ClientBuilder(), self._config).build()
            return self._async


def _configured(builder: B, config: ClientConfig) -> B:
    configured: B = (
        builder.http1_only()
        .connect_timeout(config.connect_timeout)
        .pool_max_idle_per_host(config.pool_size)
        .follow_redirects(False)
        .referer(False)
        .no_proxy()
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .user_agent("bandstand")
    )
    return configured


def _built(client: Any, request: Request) -> Any:
    builder = client.request(request.method, request.url).headers(request.headers)
    if request.body is not None:
        builder = builder.body_bytes(request.body)
    return builder.timeout(timedelta(seconds=request.timeout))


def _is_small(answer: Any, request: Request) -> bool:
    """Whether the answer says a length within the limit: then it can be read at once, for hyper holds it to that."""
    length: str | None = answer.get_header("content-length")
    return length is not None and length.isascii() and length.isdigit() and int(length) <= request.max_body_bytes


def _response(answer: Any, body: bytes) -> Response:
    return Response(status=answer.status, headers=joined_headers(answer.headers.items()), body=body)


def _mapped(error: PyreqwestError) -> ServiceError:
    """Tell "never connected" from everything later.

    pyreqwest's own ConnectError and ConnectTimeoutError cannot be believed: it raises them also for a connection that
    was lost, or an answer that did not come, after the request had been sent. Only hyper's cause says it.
    """
    causes = getattr(error, "details", {}).get("causes") or ()
    sent = not any(cause["message"] == _NEVER_CONNECTED for cause in causes)
    return (
        timed_out(error, sent=sent) if isinstance(error, RequestTimeoutError) else connection_failed(error, sent=sent)
    )
