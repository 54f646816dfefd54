"""Running Spin over a model of this folder."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

__all__ = ["FOLDER", "explore", "missing", "named_functions"]

FOLDER = Path(__file__).parent
_ERRORS = re.compile(r"errors: (\d+)")
_NAMED = re.compile(r"@ (bandstand[\w.]+)")


def missing() -> str | None:
    """What has to be installed before a model can be explored, or None."""
    absent = [program for program in ("spin", "gcc") if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)} (apt-get install spin gcc libc6-dev)" if absent else None


def explore(model: str, defines: Iterable[str], folder: Path, *, deadline_seconds: float = 120) -> bool:
    """Explore every state of the model in *folder* and say whether all assertions hold in all of them.

    Raises subprocess.CalledProcessError when the model does not compile, AssertionError when the search was cut short.
    """
    words = [f"-D{each}" for each in defines]
    _run(["spin", "-a", *words, str(FOLDER / model)], folder, deadline_seconds)
    _run(["gcc", "-O1", "-DSAFETY", "-DCOLLAPSE", "-w", "-o", "pan", "pan.c"], folder, deadline_seconds)
    report = _run(["./pan", "-m400000"], folder, deadline_seconds)
    found = _ERRORS.search(report)
    assert found is not None, report
    assert "max search depth too small" not in report, report
    return int(found.group(1)) == 0


def named_functions(model: str) -> list[str]:
    """The functions of the code that the steps of the model stand for."""
    return sorted(set(_NAMED.findall((FOLDER / model).read_text(encoding="utf-8"))))


def _run(command: list[str], folder: Path, seconds: float) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=seconds)
    return done.stdout
