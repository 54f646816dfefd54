"""A stand-in for a service: a small HTTP server that is ready after a moment, finishes its requests on SIGTERM."""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers every path with its own name, the pid and what it was asked."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = {
            "service": os.environ["STANDIN_NAME"],
            "pid": os.getpid(),
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body_bytes": len(body),
            "environ": {name: os.environ[name] for name in os.environ if name.isupper()},
        }
        text = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


class Server(ThreadingHTTPServer):
    """Joins its request threads when it closes."""

    daemon_threads = False
    request_queue_size = 256


def main() -> None:
    """Serve on the port given until SIGTERM."""
    print(f"listening on {sys.argv[1]}", flush=True)
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    if "STANDIN_STUBBORN" in os.environ:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.02)
    server.server_close()


if __name__ == "__main__":
    main()
