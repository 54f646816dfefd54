"""The long form on every bus, one after another: `make soak-events`."""

import subprocess
import sys

from benchmarks.report import RESULTS

_ON = {"embedded": "sqlite", "redis": "sqlite", "rabbitmq": "postgresql"}
_HARD = ("--events", "100000", "--restarts", "10", "--outage", "36000")


def main() -> int:
    """Keep the results beside those of the benchmarks; 1 when a promise was broken on any bus."""
    broken = False
    for bus, database in _ON.items():
        words = ["--bus", bus, "--database", database, *_HARD, "--json", str(RESULTS / f"soak-{bus}.json")]
        broken |= subprocess.run([sys.executable, "-m", "tests.trials", *words], check=False).returncode != 0
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
