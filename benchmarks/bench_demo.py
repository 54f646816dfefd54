"""P10: a fresh clone to the first confirmed order, by `make demo`, with a warm package cache.

    python -m benchmarks.bench_demo [--rounds 3]

Every round clones this repository into a new folder and types `make demo` there: environment, packages, fleet, seed,
orders, audit, shutdown.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import machine, write

ROOT = Path(__file__).parent.parent
GOAL = "P10: make demo on a bare machine with a warm package cache to the first confirmed order <= 60 s"


def one_round() -> dict[str, float]:
    """Clone, run, and note when the first order was confirmed and when everything was over."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        started, confirmed = time.perf_counter(), 0.0
        with subprocess.Popen(["make", "demo"], cwd=clone, stdout=subprocess.PIPE, text=True) as demo:
            assert demo.stdout is not None
            for line in demo.stdout:
                if not confirmed and "order confirmed" in line:
                    confirmed = time.perf_counter() - started
        if demo.returncode or not confirmed:
            raise SystemExit(f"make demo ended with {demo.returncode}")
        return {"first_confirmed_seconds": confirmed, "all_seconds": time.perf_counter() - started}


def main() -> None:
    """Run the rounds and write medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = [one_round() for _ in range(parser.parse_args().rounds)]
    medians: dict[str, Any] = {
        name: {
            "median": round(statistics.median(each[name] for each in rounds), 1),
            "rounds": [round(each[name], 1) for each in rounds],
        }
        for name in rounds[0]
    }
    write("demo", {"goal": GOAL, "machine": machine(), **medians})


if __name__ == "__main__":
    main()
