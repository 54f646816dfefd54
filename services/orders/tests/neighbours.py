"""The services that orders calls, as one real HTTP server that answers what the test tells it to."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["DROPPED", "Asked", "Neighbours", "error"]

Answer = tuple[int, Any] | Callable[["Asked"], tuple[int, Any]]
DROPPED: Answer = (0, None)
"""The connection is closed without an answer: whether the effect happened, nobody knows."""

_ROUTES = {
    "user": re.compile(r"/internal/v1/users/([^/]+)/"),
    "product": re.compile(r"/api/v1/products/([^/]+)/"),
    "products": re.compile(r"/api/v1/products/\?(.*)"),
    "reservation": re.compile(r"/internal/v1/reservations/([^/]+)/"),
    "commit": re.compile(r"/internal/v1/reservations/([^/]+)/commit/"),
    "payment": re.compile(r"/internal/v1/payments/([^/]+)/"),
}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    what: str
    key: str
    body: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def error(status: int, code: str, **details: Any) -> Answer:
    return status, {"error": {"code": code, "message": "No.", "details": details}}


def _captured(asked: Asked) -> tuple[int, Any]:
    money = {"amount": asked.body["amount"], "currency": asked.body["currency"]}
    return 201, {"key": asked.key, "state": "captured", "order_id": asked.body["order_id"], **money}


_WILLING: dict[str, Answer] = {
    "GET user": lambda asked: (200, {"id": asked.key, "is_active": True}),
    "GET product": error(404, "NOT_FOUND"),
    "PUT reservation": (201, {"state": "held"}),
    "DELETE reservation": (200, {"state": "released"}),
    "POST commit": (200, {"state": "committed"}),
    "PUT payment": _captured,
    "DELETE payment": (200, {"state": "cancelled"}),
}


class Neighbours:
    """Willing until told otherwise: `say("PUT payment", DROPPED, …)` answers in this order, the last one for ever."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._script: dict[str, list[Answer]] = {}
        neighbours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status, body = neighbours._answer(self.command, self.path, self.rfile.read(length), self.headers)
                if not status:
                    self.close_connection = True
                    return
                written = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - named so by the standard library

            def log_message(self, *args: Any) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def forget(self) -> None:
        """Be willing again, and remember no request."""
        self.asked.clear()
        self._script.clear()

    def say(self, what: str, *answers: Answer) -> None:
        self._script[what] = list(answers)

    def heard(self) -> list[str]:
        """What was asked, in order, as `PUT payment`."""
        return [f"{one.method} {one.what}" for one in self.asked]

    def of(self, what: str) -> list[Asked]:
        return [one for one in self.asked if f"{one.method} {one.what}" == what]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, Any]:
        what, match = next((name, found) for name, route in _ROUTES.items() if (found := route.fullmatch(path)))
        asked = Asked(method, what, match[1], json.loads(body) if body else {}, dict(headers))
        self.asked.append(asked)
        script = self._script.get(f"{method} {what}") or [_WILLING[f"{method} {what}"]]
        answer = script.pop(0) if len(script) > 1 else script[0]
        return answer(asked) if callable(answer) else answer
