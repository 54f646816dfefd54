"""A plain caller of the provider protocol, and a receiver of its webhooks."""

import hashlib
import hmac
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import urllib3

__all__ = ["Caller", "Receiver", "Taken"]


@dataclass(frozen=True)
class Reply:
    status: int
    data: dict[str, Any]


class Caller:
    """One pooled client without retries: a lost answer is seen as an exception of urllib3."""

    def __init__(self, url: str, *, timeout: float = 40.0) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=timeout)

    def request(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        answer = self._pool.request(method, self.url + path, body=raw, headers=headers, **more)
        assert answer.headers["Content-Type"] == "application/json"
        return Reply(answer.status, json.loads(answer.data))

    def charge(self, key: str, *, method: str = "tok_ok", amount: int = 1999, **more: Any) -> Reply:
        body = {"amount": amount, "currency": "EUR", "payment_method": method, "reference": f"order-of-{key}"}
        return self.request("PUT", f"/v1/charges/{key}", body, **more)

    def cancel(self, key: str) -> Reply:
        return self.request("DELETE", f"/v1/charges/{key}")

    def refund(self, key: str, refund: str, amount: int) -> Reply:
        return self.request("PUT", f"/v1/charges/{key}/refunds/{refund}", {"amount": amount})

    def show(self, key: str) -> Reply:
        return self.request("GET", f"/v1/charges/{key}")

    def control(self, mode: str) -> Reply:
        return self.request("POST", "/v1/control", {"mode": mode})

    def all(self, since: str = "") -> dict[str, dict[str, Any]]:
        """Every charge listed, by key, all pages read."""
        path: str | None = f"/v1/charges?since={since}" if since else "/v1/charges"
        found = {}
        while path:
            page = self.request("GET", path).data
            found.update({each["key"]: each for each in page["results"]})
            path = page["next"]
        return found

    def close(self) -> None:
        self._pool.clear()


@dataclass(frozen=True)
class Taken:
    """One webhook as it arrived."""

    body: dict[str, Any]
    signed: bool


class Receiver:
    """Take webhooks on a free port; refuse the first *refusals* about each key with 500."""

    def __init__(self, *, refusals: int = 0) -> None:
        self.secret, self.refusals, self.taken = uuid4().hex, refusals, list[Taken]()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(raw, self.headers["Provider-Signature"])
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhook"

    def take(self, raw: bytes, signature: str) -> int:
        parts = dict(part.split("=", 1) for part in signature.split(","))
        expected = hmac.new(self.secret.encode(), parts["t"].encode() + b"." + raw, hashlib.sha256).hexdigest()
        signed = parts["v1"] == expected and abs(time.time() - int(parts["t"])) < 300
        taken = Taken(json.loads(raw), signed)
        self.taken.append(taken)
        return 500 if len(self.of(taken.body["key"])) <= self.refusals else 200

    def of(self, key: str) -> list[Taken]:
        return [each for each in self.taken if each.body["key"] == key]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
