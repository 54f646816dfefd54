"""A real server of a few threads in this process: pytest-django's needs static files, which a service has none of."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

__all__ = ["serving"]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass


class _Server(ThreadedWSGIServer):
    daemon_threads = False  # requests whose client has left are finished before the test ends

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has left is what some of the tests are about."""


@contextmanager
def serving(application: Any) -> Iterator[str]:
    """Serve *application* on a free port; gives its URL."""
    server = _Server(("127.0.0.1", 0), _Quiet)
    server.set_app(application)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
