"""Requests as an attacker sends them: any method, any header, any bytes; and what every answer must look like."""

import json
import re
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Answer", "Wire", "assert_error"]

_TIMEOUT = 20
_ENVELOPE = {"code", "message", "details", "correlation_id", "service", "timestamp"}
_PROBLEM = {"type", "title", "status", "detail", "details", "code", "correlation_id", "service", "timestamp"}
_SOUND_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The JSON body."""
        return json.loads(self.body)

    @property
    def said(self) -> Any:
        """An error without what differs between any two answers."""
        error = dict(self.data["error"])
        del error["correlation_id"], error["timestamp"]
        return error


class Wire:
    """A keep-alive connection to one address, made again when the other side has closed it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self.host, self.port = parts.hostname, parts.port
        self._connection = HTTPConnection(self.host, self.port, timeout=_TIMEOUT)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def ask(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None, token: str = ""
    ) -> Answer:
        """Send one request; a *body* that is no bytes goes as JSON."""
        sent = {"Accept": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            return self._exchange(method, path, content, sent)
        except (HTTPException, ConnectionError):  # an idle connection that the other side gave up
            self.close()
            return self._exchange(method, path, content, sent)

    def _exchange(self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Answer:
        with suppress(ConnectionError):  # refused before all of it was sent: the answer has come all the same
            self._connection.request(method, path, content, dict(headers))
        with self._connection.getresponse() as answer:
            body = answer.read()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(status=answer.status, headers=found, body=body)

    def raw(self, *parts: bytes, quiet_seconds: float = 0.0, patience: float = _TIMEOUT) -> bytes:
        """Send *parts* over a new connection; return the first answer and what follows in *quiet_seconds*."""
        with socket.create_connection((self.host, self.port), timeout=patience) as plain:
            with suppress(ConnectionError):
                for part in parts:
                    plain.sendall(part)
            return _received(plain, quiet_seconds=quiet_seconds)

    def request(
        self, target: bytes, *, method: bytes = b"GET", headers: Iterable[bytes] = (), body: bytes = b""
    ) -> tuple[int, bytes]:
        """Send a request with exactly this *target*, and return status and everything after the status line."""
        lines = [method + b" " + target + b" HTTP/1.1", f"Host: {self.host}:{self.port}".encode(), b"Connection: close"]
        answer = self.raw(b"\r\n".join([*lines, *headers, b"", body]))
        return status_of(answer), answer.partition(b"\r\n")[2]


def _received(plain: socket.socket, *, quiet_seconds: float) -> bytes:
    """Both servers linger before they close, so the end of an answer is told by its length."""
    answer = b""
    with suppress(TimeoutError, ConnectionError):
        while part := plain.recv(65_536):
            answer += part
            if _is_whole(answer):
                if not quiet_seconds:
                    break
                plain.settimeout(quiet_seconds)
    return answer


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if b"transfer-encoding: chunked" in head.lower():
        return body.endswith(b"0\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return length is not None and len(body) >= int(length[1])


def status_of(answer: bytes) -> int:
    """The status of raw *answer*; 0 when the connection was closed without one."""
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else 0


def assert_error(answer: Answer, *, service: str | None = None) -> None:
    """Fail unless *answer* is an error in the one shape, with the correlation id of its header."""
    problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    error = answer.data if problem else answer.data["error"]
    assert set(error) - {"instance", "errors"} == (_PROBLEM if problem else _ENVELOPE), error
    assert answer.headers["x-correlation-id"] == error["correlation_id"]
    assert _SOUND_ID.fullmatch(error["correlation_id"])
    assert "x-request-id" in answer.headers
    assert error["timestamp"].endswith("Z")
    assert service is None or error["service"] == service, error
    if answer.status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if answer.status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
