"""P1 and P2: what all cross-cutting work costs per request.

    python benchmarks/bench_edge.py [--rounds 25] [--requests 400] [--without-peers]

Each variant is a process of its own with the same views on the same machine; the rounds go around all of them, so that
a disturbance hits all alike. Measured is the CPU time of the process per request, in-process, without a server.
OpenTelemetry, django-prometheus and django-structlog are installed in a throw-away environment.
"""

import argparse
import json
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE / "results" / "edge.json"
PEERS = {
    "opentelemetry-sdk": "1.45.2",
    "opentelemetry-instrumentation-django": "",
    "django-prometheus": "2.5.0",
    "django-structlog": "11.0.0",
}
LIBRARIES = ["django", "djangorestframework", "prometheus-client", "msgspec"]
PATHS = ("/plain", "/empty", "/list")


@dataclass(frozen=True)
class Job:
    """One variant on one path."""

    variant: str
    path: str
    python: str


class Process:
    """A running worker."""

    def __init__(self, job: Job, *, requests: int, folder: Path) -> None:
        count = requests if job.path != "/list" else max(20, requests // 5)
        self.costs: list[float] = []
        self._process = subprocess.Popen(
            [job.python, str(HERE / "edge_worker.py"), job.variant, job.path, str(count), str(folder)],
            cwd=HERE,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._read() == "ready", job

    def measure(self) -> None:
        """Run one batch."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        self.costs.append(float(self._read()))

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def stop(self) -> None:
        """End the worker."""
        self._process.communicate()


def make_list(folder: Path) -> None:
    """Write the twenty rows that the list shows."""
    columns = "id INTEGER PRIMARY KEY, password, last_login, is_superuser, username, first_name, last_name, email"
    given = "password, is_superuser, is_staff, is_active, username, first_name, last_name, email, date_joined"
    rows = [(f"user{n}", "Ada", "Lovelace", f"user{n}@example.com", "2026-01-01 12:00:00") for n in range(20)]
    with sqlite3.connect(folder / "list.sqlite3") as database:
        database.execute(f"CREATE TABLE auth_user ({columns}, is_staff, is_active, date_joined)")
        database.executemany(f"INSERT INTO auth_user ({given}) VALUES ('', 0, 0, 1, ?, ?, ?, ?, ?)", rows)


def peers_python(folder: Path) -> str:
    """Install the peers beside the same Django, in an environment that goes away with *folder*."""
    uv = str(Path(sys.executable).parent / "uv")
    target = folder / "peers"
    python = str(target / "bin/python")
    wanted = [f"{name}=={version(name)}" for name in LIBRARIES]
    wanted += [f"{name}=={pin}" if pin else name for name, pin in PEERS.items()]
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(target)], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--prerelease=allow", "--python", python, *wanted], check=True)
    return python


def summary(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 2), "low": round(low, 2), "high": round(high, 2)}


def ratios(processes: dict[tuple[str, str], Process]) -> dict[str, Any]:
    """Relate the variants round by round, then take medians."""

    def costs(variant: str, path: str) -> list[float]:
        return processes[variant, path].costs

    def share(path: str) -> dict[str, float]:
        pairs = zip(costs("bandstand", path), costs("bare", path), strict=True)
        return summary([(ours - bare) / bare * 100 for ours, bare in pairs])

    def times(variant: str, path: str) -> dict[str, float]:
        rounds = zip(costs(variant, path), costs("bandstand", path), costs("bare", path), strict=True)
        return summary([(theirs - bare) / (ours - bare) for theirs, ours, bare in rounds])

    rounds = zip(costs("bandstand", "/plain"), costs("bare", "/plain"), costs("bare", "/empty"), strict=True)
    found: dict[str, Any] = {f"percent_over{path}": share(path) for path in PATHS}
    # As the goal was first measured: the cost added to a plain view, related to an empty REST framework request.
    found["percent_of_empty_added_to_plain"] = summary([(ours - bare) / empty * 100 for ours, bare, empty in rounds])
    others = [key for key in processes if key[0] not in ("bare", "bandstand")]
    return found | {f"times_cheaper_than_{name}{path}": times(name, path) for name, path in others}


def measured(options: argparse.Namespace, *, folder: Path) -> dict[tuple[str, str], Process]:
    """Run all rounds over all variants."""
    make_list(folder)
    jobs = [Job(variant, path, sys.executable) for path in PATHS for variant in ("bare", "bandstand")]
    jobs += [Job("articles", path, sys.executable) for path in PATHS[:2]]
    if not options.without_peers:
        python = peers_python(folder)
        jobs += [Job("peers", path, python) for path in PATHS[:2]]
    processes = {(job.variant, job.path): Process(job, requests=options.requests, folder=folder) for job in jobs}
    for _ in range(options.rounds):
        for process in processes.values():
            process.measure()
    for process in processes.values():
        process.stop()
    return processes


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-edge-") as name:
        processes = measured(options, folder=Path(name))
    result = {
        "goals": {
            "P1": "over an empty DRF request <= 12 %, over a DRF list of 20 <= 5 %",
            "P2": ">= 6 times cheaper than the articles, >= 20 times cheaper than the peers",
        },
        "machine": {"system": platform.platform(), "python": platform.python_version()},
        "versions": {name: version(name) for name in LIBRARIES} | PEERS,
        "rounds": options.rounds,
        "cpu_us_per_request": {f"{key[0]} {key[1]}": summary(process.costs) for key, process in processes.items()},
        "ratios": ratios(processes),
    }
    print(json.dumps(result, indent=2))
    if not options.without_peers:
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
