"""Running Spin over a model of this folder."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FOLDER", "Exploration", "explore", "explore_all", "missing", "named_functions"]

FOLDER = Path(__file__).parent
_ERRORS = re.compile(r"errors: (\d+)")
_STATES = re.compile(r"(\d+) states, stored")
_UNREACHED = re.compile(r"\.pml:(\d+), state \d+, \"(.*)\"")
_NAMED = re.compile(r"@ (bandstand[\w.]+)")


@dataclass(frozen=True, slots=True)
class Exploration:
    """What Spin found: whether all assertions hold, in how many states, and the statements that were never executed.

    Those are pairs of line and text. Of what the model includes, the line is that of the included file.
    """

    holds: bool
    states: int
    unreached: frozenset[tuple[int, str]]


def missing() -> str | None:
    """What has to be installed before a model can be explored, or None."""
    absent = [program for program in ("spin", "gcc") if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)} (apt-get install spin gcc libc6-dev)" if absent else None


def explore(model: str, defines: Iterable[str], folder: Path, *, deadline_seconds: float = 120) -> bool:
    """Explore every state of the model in *folder* and say whether all assertions hold in all of them.

    Raises subprocess.CalledProcessError when the model does not compile, AssertionError when the search was cut short.
    """
    compact = ("-O1", "-DCOLLAPSE")
    return explore_all(FOLDER / model, defines, folder, deadline_seconds=deadline_seconds, options=compact).holds


def explore_all(
    model: Path,
    defines: Iterable[str],
    folder: Path,
    *,
    deadline_seconds: float = 120,
    options: tuple[str, ...] = ("-O0",),
) -> Exploration:
    """Explore as `explore` does and tell all that was found; *options* are the compiler's.

    Where states are few, compiling takes longer than searching: hence no optimisation unless it is asked for.
    """
    words = [f"-D{each}" for each in defines]
    _run(["spin", "-a", *words, str(model)], folder, deadline_seconds)
    _run(["gcc", *options, "-DSAFETY", "-w", "-o", "pan", "pan.c"], folder, deadline_seconds)
    report = _run(["./pan", "-m400000"], folder, deadline_seconds)
    errors, states = _ERRORS.search(report), _STATES.search(report)
    assert errors is not None, report
    assert states is not None, report
    assert "max search depth too small" not in report, report
    unreached = frozenset((int(line), text) for line, text in _UNREACHED.findall(report))
    return Exploration(int(errors.group(1)) == 0, int(states.group(1)), unreached)


def named_functions(model: str) -> list[str]:
    """The functions of the code that the steps of the model stand for."""
    return sorted(set(_NAMED.findall((FOLDER / model).read_text(encoding="utf-8"))))


def _run(command: list[str], folder: Path, seconds: float) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=seconds)
    return done.stdout
