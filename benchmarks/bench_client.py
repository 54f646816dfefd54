"""P5: CPU per call of ServiceClient with everything on, against requests with a session and retries.

    python benchmarks/bench_client.py [--rounds 5] [--seconds 0.5]

Every client is a process of its own; the rounds go around all of them, so that a disturbance hits all alike. The peer
that answers is a third process. Measured is the client's CPU time per call, which does not depend on the answerer's
speed. requests is installed in a throw-away environment.
"""

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE / "results" / "client.json"
REQUESTS = "2.34.2"
VARIANTS = ("requests", "urllib3", "pyreqwest", "bandstand on pyreqwest", "bandstand on urllib3")
THREADS = (1, 16)
GOALS = {1: 8.0, 16: 10.0}
BODY = b'{"id":"0198c0de-0000-7000-8000-000000000001","is_active":true}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Correlation-ID: 6f1f4f3e-7a1c-4a53-9a53-2f2b7b8a4c11\r\n"
    b"X-Request-ID: 6f1f4f3e7a1c\r\nDate: Thu, 01 Jan 2026 12:00:00 GMT\r\nContent-Length: %d\r\n\r\n"
    % len(BODY)
    + BODY
)


class Answerer(asyncio.Protocol):
    """Answers each request head with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        heads = self.buffer.split(b"\r\n\r\n")
        self.buffer = heads.pop()
        self.transport.write(ANSWER * len(heads))  # type: ignore[attr-defined]


async def answer() -> None:
    """Serve until killed; print the port."""
    server = await asyncio.get_running_loop().create_server(Answerer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Process:
    """A client that measures on command."""

    def __init__(self, variant: str, *, python: str, url: str) -> None:
        self.results: dict[int, list[dict[str, float]]] = {threads: [] for threads in THREADS}
        self.process = subprocess.Popen(
            [python, str(HERE / "client_worker.py"), variant, url],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._line() == "ready", variant

    def measure(self, threads: int, seconds: float) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{threads} {seconds}\n")
        self.process.stdin.flush()
        self.results[threads].append(json.loads(self._line()))

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def summary(self, threads: int) -> dict[str, Any]:
        cpu = sorted(each["cpu_us"] for each in self.results[threads])
        rate = [each["calls_per_second"] for each in self.results[threads]]
        return {
            "cpu_us": round(statistics.median(cpu), 1),
            "cpu_us_spread": [round(cpu[0], 1), round(cpu[-1], 1)],
            "calls_per_second": round(statistics.median(rate)),
        }


def peer_python(folder: Path) -> str:
    """Install requests in an environment that goes away with *folder*."""
    uv = str(Path(sys.executable).parent / "uv")
    target = folder / "peer"
    python = str(target / "bin/python")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(target)], check=True)
    wanted = [f"requests=={REQUESTS}", f"urllib3=={version('urllib3')}"]
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *wanted], check=True)
    return python


def run(rounds: int, seconds: float) -> dict[str, Process]:
    """Measure every variant in turn."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        answerer = subprocess.Popen([sys.executable, __file__, "--answer"], text=True, stdout=subprocess.PIPE)
        stack.callback(answerer.wait)
        stack.callback(answerer.kill)
        assert answerer.stdout is not None
        url = f"http://127.0.0.1:{answerer.stdout.readline().strip()}"
        peer = peer_python(Path(folder))
        processes = {
            name: Process(name, python=peer if name == "requests" else sys.executable, url=url) for name in VARIANTS
        }
        for _ in range(rounds):
            for threads in THREADS:
                for process in processes.values():
                    process.measure(threads, seconds)
        for process in processes.values():
            process.process.communicate()
    return processes


def report(processes: dict[str, Process]) -> dict[str, Any]:
    """The result as it is committed: ratios round by round, so that their spread is known."""
    measured = {name: {str(t): process.summary(t) for t in THREADS} for name, process in processes.items()}
    ratios: dict[str, Any] = {}
    for name in VARIANTS[3:]:
        for threads in THREADS:
            pairs = zip(processes["requests"].results[threads], processes[name].results[threads], strict=True)
            each = sorted(theirs["cpu_us"] / ours["cpu_us"] for theirs, ours in pairs)
            ratios.setdefault(name, {})[str(threads)] = {
                "times_cheaper": round(statistics.median(each), 1),
                "spread": [round(each[0], 1), round(each[-1], 1)],
            }
    best = ratios["bandstand on pyreqwest"]
    return {
        "goals": {"P5": "CPU per call >= 8 times cheaper than requests + Session + Retry with 1 thread, >= 10 with 16"},
        "reached": {str(threads): best[str(threads)]["times_cheaper"] >= goal for threads, goal in GOALS.items()},
        "machine": {"system": platform.platform(), "cpus": 2, "python": platform.python_version()},
        "versions": {"requests": REQUESTS, **{name: version(name) for name in ("urllib3", "pyreqwest", "msgspec")}},
        "measured_by_threads": measured,
        "requests_over_ours_by_threads": ratios,
    }


def main() -> None:
    """Run, print and keep the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--answer", action="store_true")
    options = parser.parse_args()
    if options.answer:
        asyncio.run(answer())
        return
    result = report(run(options.rounds, options.seconds))
    text = json.dumps(result, indent=2)
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
