"""P4: CPU per authentication, with the cache of verified tokens and without, against simplejwt.

    python benchmarks/bench_auth.py [--rounds 15]

Every variant is a process of its own; the rounds go around all of them. simplejwt verifies HS256, the cheapest
algorithm there is, which lets every service mint for every other; ours verifies ES256 and asks for revocations.
simplejwt is installed in a throw-away environment.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULT = HERE / "results" / "auth.json"
SIMPLEJWT = "5.5.1"
CACHED = "bandstand, cached"
VARIANTS = ("simplejwt", CACHED, "bandstand, first time", "bandstand, service token")


class Process:
    """A variant that measures on command."""

    def __init__(self, variant: str, *, python: str) -> None:
        self.costs: list[float] = []
        self.process = subprocess.Popen(
            [python, str(HERE / "auth_worker.py"), variant], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._line() == "ready", variant

    def measure(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.costs.append(float(self._line()))

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def peer_python(folder: Path) -> str:
    """Install simplejwt beside the same Django, in an environment that goes away with *folder*."""
    uv = str(Path(sys.executable).parent / "uv")
    target = folder / "peer"
    python = str(target / "bin/python")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(target)], check=True)
    wanted = [f"{name}=={version(name)}" for name in ("django", "djangorestframework", "pyjwt")]
    install = [uv, "pip", "install", "-q", "--python", python, f"djangorestframework-simplejwt=={SIMPLEJWT}", *wanted]
    subprocess.run(install, check=True)
    return python


def report(processes: dict[str, Process]) -> dict[str, Any]:
    """The result as it is committed."""
    pairs = zip(processes["simplejwt"].costs, processes[CACHED].costs, strict=True)
    ratios = sorted(theirs / ours for theirs, ours in pairs)
    cached = statistics.median(processes[CACHED].costs)
    return {
        "goals": {"P4": "authentication with a cached token <= 5 us, >= 10 times cheaper than simplejwt"},
        "reached": {"us": cached <= 5, "times_cheaper": statistics.median(ratios) >= 10},
        "machine": {"system": platform.platform(), "cpus": 2, "python": platform.python_version()},
        "versions": {
            "simplejwt": SIMPLEJWT,
            **{name: version(name) for name in ("pyjwt", "cryptography", "django", "djangorestframework")},
        },
        "cpu_us": {
            name: {
                "median": round(statistics.median(process.costs), 2),
                "spread": [round(min(process.costs), 2), round(max(process.costs), 2)],
            }
            for name, process in processes.items()
        },
        "simplejwt_over_cached": {
            "times_cheaper": round(statistics.median(ratios), 1),
            "spread": [round(ratios[0], 1), round(ratios[-1], 1)],
        },
    }


def main() -> None:
    """Run, print and keep the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        peer = peer_python(Path(folder))
        processes = {name: Process(name, python=peer if name == "simplejwt" else sys.executable) for name in VARIANTS}
        for _ in range(options.rounds):
            for process in processes.values():
                process.measure()
        for process in processes.values():
            process.process.communicate()
    text = json.dumps(report(processes), indent=2)
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
