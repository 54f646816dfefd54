"""Participants that answer over HTTP: PUT creates under the last part of the path, DELETE cancels, GET reads."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bandstand.errors import NotFound, ServiceError, ServiceHTTPError, ServiceTimeoutError
from bandstand.testing.participants import FakeParticipant

__all__ = ["KeyedServices", "keyed_services"]


class KeyedServices:
    """One server for all services; what stands under `/internal/v1/<kind>/<key>/` is kept by a fake of that kind."""

    def __init__(self, *kinds: str, missing: str = "nobody") -> None:
        self.of = {kind: FakeParticipant(kind) for kind in kinds}
        self.url = ""
        self._missing = missing

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and body of an answer; status 0 for none."""
        kind, key = path.strip("/").split("/")[-2:]
        participant = self.of.get(kind)
        try:
            if participant is None:
                return _refused(NotFound()) if key == self._missing else (200, {})
            if method == "PUT":
                participant.create(key, body)
            else:
                participant.cancel(key)
        except (ServiceTimeoutError, ServiceHTTPError):
            return 0, None
        except ServiceError as error:
            return _refused(error)
        return 200, {}


def _refused(error: ServiceError) -> tuple[int, Any]:
    return error.status, {"error": {"code": error.code, "message": error.message, "details": error.details}}


@contextmanager
def keyed_services(services: KeyedServices) -> Iterator[KeyedServices]:
    """Serve them on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            status, answered = services.answer(self.command, self.path, body)
            if not status:
                self.close_connection = True
                return
            written = json.dumps(answered).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            self.end_headers()
            self.wfile.write(written)

        do_PUT = do_DELETE = do_GET  # noqa: N815 - named so by the standard library

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    services.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield services
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
