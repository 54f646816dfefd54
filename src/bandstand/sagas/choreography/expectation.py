"""The pure core: which courses a journey may take, and what the events seen so far say of it.

What is known of a journey is the set of its events, each with the moment at which this service learnt of it. So order
and repetition of arrivals cannot matter: `judge` looks at the set alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = ["Expectation", "Path", "Progress", "Stage", "State", "Step", "advance", "judge"]


class State(StrEnum):
    """Where a journey stands."""

    WATCHING = "watching"
    COMPLETED = "completed"
    STALLED = "stalled"
    """What it waits for is overdue."""
    DEVIATED = "deviated"
    """Events came that no declared course has together, or one was passed over."""
    DISMISSED = "dismissed"
    """It had stalled or deviated, and a person has dealt with it; only `operations.dismiss` says so."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One event of a course, expected *within* so long after the stage before; an optional one is never waited for."""

    event: str
    within: timedelta | None = None
    is_optional: bool = False


Stage = tuple[Step, ...]
"""Steps that may come in any order."""
Path = tuple[Stage, ...]
"""One course from the first event to the last."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """All courses that a journey may take.

    *within* bounds the whole of it. *patience* is how long an event that others have overtaken may still be under way.
    """

    paths: tuple[Path, ...]
    within: timedelta | None = None
    patience: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is known of a journey. *due_at* is when it will have stalled, or deviated, unless something comes."""

    seen: Mapping[str, datetime] = field(default_factory=dict)
    state: State = State.WATCHING
    waiting_for: tuple[str, ...] = ()
    due_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class _Stand:
    """How far one course has come. *is_overtaken*: a later event of it is here already."""

    missing: tuple[str, ...] = ()
    due_at: datetime | None = None
    is_overtaken: bool = False


def advance(expectation: Expectation, seen: Mapping[str, datetime], event: str, now: datetime) -> Progress:
    """Add *event*, of which this service learns *now*, to what was *seen*. A repetition changes nothing."""
    return judge(expectation, {**seen, event: min(now, seen.get(event, now))}, now)


def judge(expectation: Expectation, seen: Mapping[str, datetime], now: datetime) -> Progress:
    """Say where the journey stands *now*. Events that are no longer declared are kept and not regarded."""
    declared = {event for path in expectation.paths for event in _events(path)}
    known = {event: at for event, at in seen.items() if event in declared}
    possible = [path for path in expectation.paths if known.keys() <= _events(path)]
    if not possible:
        return Progress(seen=seen, state=State.DEVIATED, note=_contradiction(expectation, known))
    stands = [_stand(path, known, expectation) for path in possible]
    if not all(stand.missing for stand in stands):
        return Progress(seen=seen, state=State.COMPLETED)
    waiting_for = tuple(dict.fromkeys(event for stand in stands for event in stand.missing))
    due_at = _latest(stand.due_at for stand in stands)
    if due_at is None or now < due_at:
        return Progress(seen=seen, waiting_for=waiting_for, due_at=due_at)
    is_overtaken = all(stand.is_overtaken for stand in stands)
    return Progress(
        seen=seen,
        state=State.DEVIATED if is_overtaken else State.STALLED,
        waiting_for=waiting_for,
        due_at=due_at,
        note=f"{' or '.join(waiting_for)} {'was passed over' if is_overtaken else 'is overdue'}",
    )


def _events(path: Path) -> set[str]:
    return {step.event for stage in path for step in stage}


def _stand(path: Path, seen: Mapping[str, datetime], expectation: Expectation) -> _Stand:
    reached: datetime | None = None
    for number, stage in enumerate(path):
        missing = [step for step in stage if step.event not in seen and not step.is_optional]
        here = [seen[step.event] for step in stage if step.event in seen]
        if missing:
            names = tuple(step.event for step in missing)
            overtaking = [seen[event] for event in _events(path[number + 1 :]) if event in seen]
            if overtaking:
                return _Stand(missing=names, due_at=min(overtaking) + expectation.patience, is_overtaken=True)
            bounds = [reached + step.within for step in missing if reached is not None and step.within is not None]
            if expectation.within is not None and seen:
                bounds.append(min(seen.values()) + expectation.within)
            return _Stand(missing=names, due_at=min(bounds, default=None))
        reached = max([*here, *([reached] if reached else [])], default=None)
    return _Stand()


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    """When the last course that is still possible is overdue; None while one of them may wait for ever."""
    found = list(moments)
    return None if None in found else max(each for each in found if each is not None)


def _contradiction(expectation: Expectation, seen: Mapping[str, datetime]) -> str:
    nearest = max(expectation.paths, key=lambda path: len(seen.keys() & _events(path)))
    odd = sorted(seen.keys() - _events(nearest))
    rest = sorted(seen.keys() & _events(nearest))
    return f"{', '.join(odd)} does not go with {', '.join(rest) or 'anything'}"
