"""What the file lock of the embedded bus buys: six processes, each publishing 70 events a second to one file.

    python benchmarks/bench_bus_writers.py [--rounds 6] [--seconds 1.5]

With the lock, and with SQLite's own back-off alone, in turns. Measured is how long one `publish` takes.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parent / "results" / "bus_writers.json"
WRITERS, RATE = 6, 70
EVENT = "shop.fact_noted.v1"


def write(folder: str, variant: str, seconds: str) -> None:
    """One process: publish at the rate and print the durations."""
    from bandstand.events.backends import Message, open_bus
    from bandstand.events.backends.embedded import EmbeddedBus

    if variant == "without lock":
        EmbeddedBus._write_turn = lambda self: nullcontext()  # type: ignore[method-assign,assignment]  # noqa: ARG005
    bus = open_bus(f"embedded:///{folder}/bus.sqlite3")
    bus.groups()  # connect
    print("ready", flush=True)
    sys.stdin.readline()
    durations: list[float] = []
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < float(seconds):
        if len(durations) / RATE > elapsed:
            time.sleep(len(durations) / RATE - elapsed)
        begun = time.perf_counter()
        bus.publish([Message(event_id=str(len(durations)), type=EVENT, subject="a", body="{}" * 100)])
        durations.append(time.perf_counter() - begun)
    print(json.dumps(durations), flush=True)


def one_round(variant: str, seconds: float) -> dict[str, float]:
    """All processes at once on a fresh file."""
    with tempfile.TemporaryDirectory(prefix="bench-writers-") as folder:
        command = [sys.executable, __file__, "write", folder, variant, str(seconds)]
        pipe = subprocess.PIPE
        writers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(WRITERS)]
        assert [writer.stdout.readline() for writer in writers if writer.stdout] == ["ready\n"] * WRITERS
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        durations = sorted(each for writer in writers if writer.stdout for each in json.loads(writer.stdout.readline()))
        for writer in writers:
            writer.communicate()
    places = {"p50_ms": len(durations) // 2, "p99_ms": int(len(durations) * 0.99), "slowest_ms": -1}
    figures = {name: round(durations[place] * 1e3, 2) for name, place in places.items()}
    return {"published": len(durations), **figures}


def main() -> None:
    """Measure in turns, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5)
    options = parser.parse_args()
    variants = ("with lock", "without lock")
    rounds = [{variant: one_round(variant, options.seconds) for variant in variants} for _ in range(options.rounds)]
    result: dict[str, Any] = {
        "machine": {"system": platform.platform(), "cpus": os.cpu_count(), "python": platform.python_version()},
        "versions": {"sqlite": sqlite3.sqlite_version},
        "medians": {
            variant: {name: statistics.median(each[variant][name] for each in rounds) for name in rounds[0][variant]}
            for variant in variants
        },
        "rounds": rounds,
    }
    print(json.dumps(result["medians"], indent=2))
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(*sys.argv[2:])
    else:
        main()
