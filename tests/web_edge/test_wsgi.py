"""Bodies of known length, no process environment, an envelope for every refusal, also before Django runs."""

import io
import json
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import override_settings
from tests.web_edge.lines import Lines

from bandstand.web.wsgi import application_wrapper

LIMIT = 100


class Chunks:
    """A body as servers hand it out: a chunk at a time, its end without a length."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = list(chunks)
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        if not self._chunks:
            return b""
        head = self._chunks.pop(0)
        if 0 <= size < len(head):
            self._chunks.insert(0, head[size:])
            head = head[:size]
        self.read_bytes += len(head)
        return head

    readline = read


def call(application: Any, **environ: Any) -> tuple[int, dict[str, str], bytes]:
    """Send one request as a WSGI server does."""
    seen: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        seen.update(status=int(status[:3]), headers=dict(headers))

    defaults = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/body",
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b""),
    }
    body = b"".join(application({**defaults, **environ}, start_response))
    return seen["status"], seen["headers"], body


def chunked(*chunks: bytes) -> dict[str, Any]:
    return {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": Chunks(*chunks),
        "wsgi.input_terminated": True,
    }


@pytest.fixture(autouse=True)
def connections_kept() -> Iterator[None]:
    """As Django's test client does: closing old connections asks for a database, which these tests do not have."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.fixture
def application() -> Any:
    return application_wrapper(WSGIHandler(), body_limit_bytes=LIMIT)


def test_a_chunked_body_reaches_the_view(application: Any) -> None:
    assert call(application, **chunked(b"abc", b"def"))[2] == b"abcdef"


def test_without_the_wrapper_a_chunked_body_is_silently_empty() -> None:
    assert call(WSGIHandler(), **chunked(b"abc"))[::2] == (200, b"")


def test_a_chunked_body_over_the_limit_is_refused_and_not_read_to_its_end(application: Any) -> None:
    environ = chunked(*[b"x" * 60] * 1000)
    status, _, body = call(application, **environ)
    assert status == 413
    assert json.loads(body)["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert environ["wsgi.input"].read_bytes == LIMIT + 1


def test_a_body_of_exactly_the_limit_passes(application: Any) -> None:
    assert call(application, **chunked(b"x" * LIMIT))[2] == b"x" * LIMIT


REFUSED = [
    ({"CONTENT_LENGTH": str(LIMIT + 1)}, 413),
    ({"CONTENT_LENGTH": "9" * 17}, 413),
    ({"CONTENT_LENGTH": "-1"}, 400),
    ({"CONTENT_LENGTH": "1e3"}, 400),
    ({"CONTENT_LENGTH": "٣"}, 400),
    ({"CONTENT_LENGTH": "5", "HTTP_TRANSFER_ENCODING": "chunked"}, 400),
    ({"HTTP_TRANSFER_ENCODING": "chunked"}, 411),
    ({"SERVER_PROTOCOL": "HTTP/2"}, 411),
]


@pytest.mark.parametrize(("environ", "status"), REFUSED)
def test_a_refusal_is_an_envelope_with_ids_and_an_access_line(
    application: Any, lines: Lines, environ: dict[str, str], status: int
) -> None:
    answered, headers, body = call(application, **environ, HTTP_X_CORRELATION_ID="order-12345678")
    assert answered == status
    assert json.loads(body)["error"]["correlation_id"] == "order-12345678" == headers["X-Correlation-ID"]
    assert headers["X-Request-ID"]
    assert [line["http.response.status_code"] for line in lines.access] == [status]


def test_an_exception_before_the_middleware_is_an_envelope() -> None:
    def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("secret cause")

    status, _, body = call(application_wrapper(broken))
    assert status == 500
    assert json.loads(body)["error"]["code"] == "INTERNAL_ERROR"
    assert b"secret" not in body


def test_the_process_environment_is_no_part_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "s3cret-value")
    monkeypatch.setenv("HTTP_X_FORWARDED_FOR", "6.6.6.6")
    wrapped = application_wrapper(WSGIHandler())
    merged = {"SECRET_KEY": "s3cret-value", "HTTP_X_FORWARDED_FOR": "6.6.6.6", "PATH_INFO": "/environment"}
    assert b"s3cret-value" in call(WSGIHandler(), **merged)[2]
    seen = json.loads(call(wrapped, **merged)[2])
    assert "SECRET_KEY" not in seen
    assert "HTTP_X_FORWARDED_FOR" not in seen
    assert seen["REQUEST_METHOD"] == "POST"


@override_settings(MIDDLEWARE=["bandstand.web.middleware.EdgeMiddleware"])
def test_an_answer_says_its_length_unless_it_is_streamed_or_has_no_body() -> None:
    answers = {path: call(WSGIHandler(), REQUEST_METHOD="GET", PATH_INFO=path) for path in ("/items/7/", "/nowhere")}
    assert all(headers["Content-Length"] == str(len(body)) for _, headers, body in answers.values())
    for path in ("/stream", "/nothing"):
        assert "Content-Length" not in call(WSGIHandler(), REQUEST_METHOD="GET", PATH_INFO=path)[1]
