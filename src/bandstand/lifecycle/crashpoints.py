"""Named places where a process can be told to die, so that tests reach every line a real crash could hit.

`BANDSTAND_CRASH_AT=orders.placed#3` kills the process at the third passage of that point, as `kill -9` would. It
happens once: a marker in `BANDSTAND_DATA/crash` outlives the process, so the one that follows goes on.
"""

import itertools
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bandstand.config import ConfigurationError, Fault, environment

__all__ = ["EXIT_STATUS", "crash_point", "crash_point_names", "register_crash_points"]

EXIT_STATUS = 137
"""What a shell shows for a process that got SIGKILL."""


@dataclass(kw_only=True)
class _Plan:
    """Where to die: *point* at its passage number *hit*, unless *marker* says that it happened already."""

    point: str
    hit: int
    marker: Path
    passages: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))


_names: set[str] = set()
_guard = threading.Lock()
_is_read = False
_plan: _Plan | None = _Plan(point="", hit=0, marker=Path())  # not None, so that the first passage reads the environment


def crash_point(name: str) -> None:
    """Die here if the environment says so; otherwise cost one comparison."""
    if _plan is not None:
        _pass(name)


def register_crash_points(names: Iterable[str]) -> None:
    """Announce points, so that they can be listed before they are passed."""
    _names.update(names)


def crash_point_names() -> list[str]:
    """Every announced point, sorted."""
    return sorted(_names)


def _pass(name: str) -> None:
    global _is_read, _plan
    with _guard:
        if not _is_read:
            _plan, _is_read = _read(), True
        plan = _plan
    if plan is None or plan.point != name or next(plan.passages) != plan.hit:
        return
    if _mark(plan.marker):
        os._exit(EXIT_STATUS)


def _read() -> _Plan | None:
    values = environment()
    wanted = values.get("BANDSTAND_CRASH_AT", "")
    if not wanted:
        return None
    point, _, hit = wanted.partition("#")
    data = values.get("BANDSTAND_DATA", "")
    faults = []
    if not data:
        faults.append(Fault(variable="BANDSTAND_DATA", problem="is not set", expected="a folder for crash markers"))
    if hit and not (hit.isascii() and hit.isdigit() and int(hit)):
        faults.append(Fault(variable="BANDSTAND_CRASH_AT", problem=f"{wanted!r} is wrong", expected="name[#hit]"))
    if faults:
        raise ConfigurationError(faults)
    marker = Path(data) / "crash" / f"{point}#{hit or 1}"
    return None if marker.exists() else _Plan(point=point, hit=int(hit or 1), marker=marker)


def _mark(marker: Path) -> bool:
    """Leave the durable marker; False when another process got there first."""
    marker.parent.mkdir(parents=True, exist_ok=True)
    try:
        with marker.open("x") as file:
            file.write(f"{os.getpid()}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True
