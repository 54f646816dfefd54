"""Worker processes that begin together and end together."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.report import ROOT, Figures, Gate


@contextmanager
def workers(role: str, given: Figures, processes: int, *, of: str = "bench_sagas") -> Iterator[None]:
    """So many processes of a role of a script that takes a *gate*; entered when it opens, closed on leaving."""
    command = [sys.executable, "-m", f"benchmarks.{of}", role, json.dumps(given)]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(processes)]
    entrance = Gate(given["gate"])
    try:
        entrance.open(processes)
        yield
    finally:
        entrance.close()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
