"""The provider over HTTP: the standard library's server, one thread a connection, so that long waits block nobody."""

import logging
import re
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import msgspec

from bandstand.chaos.provider.book import Answer, Order, failure
from bandstand.chaos.provider.ledger import LedgerBroken
from bandstand.chaos.provider.operations import Provider, Reply, Silence
from bandstand.chaos.provider.requests import (
    BadRequest,
    ChargeBody,
    ControlBody,
    RefundBody,
    WebhookBody,
    page_asked,
    read,
    segment,
)
from bandstand.clock import rfc3339

__all__ = ["Server"]

log = logging.getLogger(__name__)

_BODY_LIMIT = 64 * 1024
_HOLD_SECONDS = 60.0
_JSON = msgspec.json.Encoder()


class Server(ThreadingHTTPServer):
    """Serve *provider* on `(host, port)`. `on_broken` is called when the ledger cannot be written any more."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], provider: Provider, *, on_broken: Callable[[], None]) -> None:
        self.provider, self.on_broken = provider, on_broken
        self._active = 0
        self._idle = threading.Condition()
        self._held: set[socket.socket] = set()
        self.draining = False
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """Where the server listens."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count one request as running, for `drain`."""
        with self._idle:
            self._active += 1
        try:
            yield
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def hold(self, connection: socket.socket) -> None:
        """Return when the caller has given up, the bound on waiting has passed, or the server drains."""
        self._held.add(connection)
        try:
            if not self.draining:
                select.select([connection], [], [], _HOLD_SECONDS)
        finally:
            self._held.discard(connection)

    def drain(self, *, timeout: float) -> None:
        """Stop accepting, let go of held connections and let running requests finish."""
        self.draining = True
        self.shutdown()
        self.socket.close()
        for connection in list(self._held):
            connection.shutdown(socket.SHUT_RDWR)
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0, timeout=timeout)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A caller that went away is no error; anything else is."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            log.error("provider.request_failed", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "bandstand-provider", ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one segment
    timeout = 300

    def do_GET(self) -> None:
        with self.server.working():
            self._serve()

    do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = do_GET  # noqa: N815 - named so by the standard library

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the standard library
        """Nothing a request: the ledger tells the story."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that the library itself refused, as JSON like all others."""
        self.close_connection = True
        self._answer(failure(code, "bad_request", message or explain or "Bad request."))

    def _serve(self) -> None:
        try:
            body = self._body()
            reply = self._route(body) if isinstance(body, bytes) else body
        except BadRequest as error:
            reply = failure(400, "bad_request", str(error))
        except LedgerBroken as error:
            log.critical("provider.ledger_broken", extra={"reason": str(error)})
            self.server.on_broken()
            reply = failure(503, "broken", "The ledger cannot be written.")
        if isinstance(reply, Silence):
            self._be_silent(reply)
        else:
            self._answer(reply)

    def _body(self) -> bytes | Answer:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return failure(411, "length_required", "A Content-Length is required.")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            return failure(400, "bad_request", "The Content-Length is malformed.")
        if int(length) > _BODY_LIMIT:
            self.close_connection = True
            return failure(413, "too_large", f"A body has at most {_BODY_LIMIT} bytes.")
        return self.rfile.read(int(length))

    def _route(self, body: bytes) -> Reply:
        path, _, query = self.path.partition("?")
        if self.server.provider.is_down and path not in {"/v1/control", "/livez"}:
            return failure(503, "down", "The provider is down.")
        for pattern, methods in _ROUTES:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            handler = methods.get(self.command)
            if handler is None:
                return failure(405, "method_not_allowed", f"Allowed here: {', '.join(methods)}.")
            return handler(self.server.provider, [segment(part) for part in match.groups()], body, query)
        return failure(404, "no_route", "There is no such route.")

    def _answer(self, answer: Answer) -> None:
        status, content = answer
        body = _JSON.encode(content)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 503:
            self.send_header("Retry-After", "1")
        if self.close_connection or self.server.draining:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()  # inside `working`, so that draining cannot cut an answer off

    def _be_silent(self, silence: Silence) -> None:
        self.close_connection = True
        if silence.held:
            self.server.hold(self.connection)


def _charge(provider: Provider, keys: list[str], body: bytes, _query: str) -> Reply:
    asked = read(body, ChargeBody)
    order = Order(key=keys[0], reference=asked.reference, amount=asked.amount, currency=asked.currency)
    return provider.charge(order, method=asked.payment_method)


def _cancel(provider: Provider, keys: list[str], _body: bytes, _query: str) -> Reply:
    return provider.cancel(keys[0])


def _show(provider: Provider, keys: list[str], _body: bytes, _query: str) -> Reply:
    return provider.show(keys[0])


def _refund(provider: Provider, keys: list[str], body: bytes, _query: str) -> Reply:
    return provider.refund(keys[0], refund=keys[1], amount=read(body, RefundBody).amount)


def _list(provider: Provider, _keys: list[str], _body: bytes, query: str) -> Reply:
    since, number = page_asked(query)
    results, more = provider.page(since=since, number=number)
    again = {"since": rfc3339(since, timespec="microseconds")} if since else {}
    return 200, {
        "results": results,
        "next": f"/v1/charges?{urlencode({**again, 'page': number + 1})}" if more else None,
    }


def _webhook(provider: Provider, _keys: list[str], body: bytes, _query: str) -> Reply:
    asked = read(body, WebhookBody)
    provider.register_webhook(url=asked.url, secret=asked.secret)
    return 200, {"url": asked.url}


def _control(provider: Provider, _keys: list[str], body: bytes, _query: str) -> Reply:
    mode = read(body, ControlBody).mode
    provider.set_mode(mode)
    return 200, {"mode": mode}


def _alive(_provider: Provider, _keys: list[str], _body: bytes, _query: str) -> Reply:
    return 200, {"status": "ok"}


_Route = Callable[[Provider, list[str], bytes, str], Reply]
_ROUTES: tuple[tuple[re.Pattern[str], dict[str, _Route]], ...] = (
    (re.compile(r"/v1/charges/([^/]+)"), {"PUT": _charge, "DELETE": _cancel, "GET": _show}),
    (re.compile(r"/v1/charges/([^/]+)/refunds/([^/]+)"), {"PUT": _refund}),
    (re.compile(r"/v1/charges"), {"GET": _list}),
    (re.compile(r"/v1/webhook"), {"PUT": _webhook}),
    (re.compile(r"/v1/control"), {"POST": _control}),
    (re.compile(r"/livez"), {"GET": _alive}),
)
