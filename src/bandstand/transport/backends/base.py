"""The contract of a transport: one request out, one whole answer back, within one time and one size."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from bandstand.errors import ServiceConnectionError, ServiceHTTPError, ServiceTimeoutError

__all__ = [
    "Request",
    "Response",
    "Transport",
    "connection_failed",
    "joined_headers",
    "oversized",
    "timed_out",
]


# Structs rather than dataclasses: made for every call, and a frozen dataclass takes several times as long to make.
class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What goes out. `timeout` is the total for this exchange in seconds: connect, send, headers and body."""

    method: str
    url: str
    timeout: float
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    max_body_bytes: int = 4 * 1024 * 1024


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, complete. Header names are lower-case; the body is as it was sent, never decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(ABC):
    """Sends requests over pooled connections. Every status is an answer; redirects are never followed.

    A backend is safe for threads, opens nothing before its first request and is made anew in a forked process. An
    idle connection that the other side closed is found out before a request is written to it.

    Raises ServiceTimeoutError and ServiceConnectionError, whose `sent` is false only when no byte of the request left
    this process, and ServiceHTTPError for an answer larger than `max_body_bytes`.
    """

    name: ClassVar[str]

    @abstractmethod
    def send(self, request: Request) -> Response:
        """Exchange one request; blocks this thread."""

    async def asend(self, request: Request) -> Response:
        """Exchange one request without blocking the event loop; by default in a thread."""
        return await asyncio.to_thread(self.send, request)

    @abstractmethod
    def close(self) -> None:
        """Close the idle connections. The transport opens new ones when it is used again."""


def joined_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Collect headers under lower-case names; repeated ones are joined by a comma (RFC 9110, 5.3)."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def timed_out(cause: BaseException, *, sent: bool) -> ServiceTimeoutError:
    """The error for a timeout; details stay free of addresses, the chained cause has them."""
    error = ServiceTimeoutError("No complete answer came in time.", sent=sent)
    error.__cause__ = cause
    return error


def connection_failed(cause: BaseException, *, sent: bool) -> ServiceConnectionError:
    """The error for a connection that was refused, reset or ended early."""
    error = ServiceConnectionError("The connection failed.", sent=sent)
    error.__cause__ = cause
    return error


def oversized(*, status: int, limit: int) -> ServiceHTTPError:
    """The error for an answer over the limit; whether the effect happened is unknown."""
    return ServiceHTTPError("The answer is too large.", status_code=status, limit_bytes=limit)
