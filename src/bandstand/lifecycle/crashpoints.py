"""Named places where a process can be told to die, so that tests reach every line a real crash could hit.

`BANDSTAND_CRASH_AT=orders.placed#3` kills the process at the third passage of that point, as `kill -9` would. It
happens once: a marker in `BANDSTAND_DATA/crash` outlives the process, so the one that follows goes on. Of several, with
commas between, a process dies at the first that nobody has died at yet.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bandstand.config import ConfigurationError, Fault, environment

__all__ = ["EXIT_STATUS", "crash_point", "crash_point_names", "register_crash_points", "watched_crash_points"]

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

_watcher: Callable[[str], None] | None = None


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


@contextmanager
def watched_crash_points(passed: Callable[[str], None]) -> Iterator[None]:
    """For tests: let *passed* hear of every passage, in all threads; what it raises goes on into the code there.

    Meanwhile the environment says nothing.
    """
    global _plan, _watcher
    before = _plan, _watcher
    _plan, _watcher = _Plan(point="", hit=0, marker=Path()), passed
    try:
        yield
    finally:
        _plan, _watcher = before


def _pass(name: str) -> None:
    global _is_read, _plan
    if _watcher is not None:
        _watcher(name)
        return
    with _guard:
        if not _is_read:
            _plan, _is_read = _read(), True
        plan = _plan
    if plan is None or plan.point != name or next(plan.passages) != plan.hit:
        return
    if _mark(plan.marker):
        os._exit(EXIT_STATUS)
    with _guard:  # another process died here
        _plan, _is_read = _read(), True


def _read() -> _Plan | None:
    values = environment()
    wanted = [each.strip() for each in values.get("BANDSTAND_CRASH_AT", "").split(",") if each.strip()]
    if not wanted:
        return None
    data = values.get("BANDSTAND_DATA", "")
    faults = [] if data else [Fault(variable="BANDSTAND_DATA", problem="is not set", expected="a folder for markers")]
    faults += [
        Fault(variable="BANDSTAND_CRASH_AT", problem=f"{each!r} is wrong", expected="name[#hit]")
        for each in wanted
        if _hit_of(each) is None
    ]
    if faults:
        raise ConfigurationError(faults)
    plans = (_Plan(point=each.partition("#")[0], hit=_hit_of(each) or 1, marker=_marker(data, each)) for each in wanted)
    return next((plan for plan in plans if not plan.marker.exists()), None)


def _hit_of(wanted: str) -> int | None:
    _, _, hit = wanted.partition("#")
    if not hit:
        return 1
    return int(hit) if hit.isascii() and hit.isdigit() and int(hit) else None


def _marker(data: str, wanted: str) -> Path:
    return Path(data) / "crash" / f"{wanted.partition('#')[0]}#{_hit_of(wanted)}"


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
