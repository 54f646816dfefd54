"""What follows from what, for one step of a saga: the table that the engine obeys and the formal model includes.

Everything that makes a saga right when an outcome is not known stands here, as data. `tests/models/sagas.pml` explores
it with crashes, stale workers and a lossy network; the engine takes no decision of its own about an outcome.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import product

__all__ = ["TRANSITIONS", "Heard", "Phase", "Stance", "Verdict"]


class Phase(StrEnum):
    """What a step at hand is doing."""

    __hash__ = str.__hash__  # an enum hashes its name, in Python: three times for each look into the table
    CALLING = "calling"
    """Its intent is durable and its call under way."""
    PAUSING = "pausing"
    """It waits for its next attempt, its moment or what it was promised to hear."""
    UNDOING = "undoing"
    """As CALLING, on the way back."""
    RESTING = "resting"
    """As PAUSING, on the way back."""


class Heard(StrEnum):
    """What came of it."""

    __hash__ = str.__hash__
    OK = "ok"
    REFUSED = "refused"
    """A definite no of the participant."""
    FAILED = "failed"
    """Nothing happened for sure: it was never sent, or was rolled back."""
    UNKNOWN = "unknown"
    """It may have happened."""
    CRASHED = "crashed"
    """A new owner finds a call under way."""
    DUE = "due"
    """The moment has come, or there is no more reason to wait for it."""


class Stance(StrEnum):
    """How the saga stands to the step at hand."""

    __hash__ = str.__hash__
    OPEN = "open"
    """Before the pivot, with patience left."""
    GIVEN_UP = "given_up"
    """Before the pivot and turning back: out of time, cancelled, or refused elsewhere."""
    FORWARD = "forward"
    """Behind the pivot: nothing is undone any more."""


class Verdict(StrEnum):
    """What the engine does about it."""

    DONE = "done"
    REPEAT = "repeat"
    """Call once more, now."""
    PAUSE = "pause"
    """Call once more, later."""
    CLEAN = "clean"
    """Turn back; of this step there is nothing to undo."""
    BURY = "bury"
    """Turn back, and undo this step too: it may have happened, or may happen yet."""
    UNDONE = "undone"


Given = tuple[Phase, Heard, Stance, bool]
Taken = tuple[Verdict, bool]


def _forward(phase: Phase, heard: Heard, stance: Stance, doubt: bool) -> Taken | None:
    giving_up = Verdict.BURY if doubt else Verdict.CLEAN
    if phase is Phase.PAUSING and heard is Heard.DUE:
        return (giving_up if stance is Stance.GIVEN_UP else Verdict.REPEAT), doubt
    if heard is Heard.OK:
        return Verdict.DONE, False
    if heard is Heard.REFUSED:
        return (Verdict.PAUSE if stance is Stance.FORWARD else giving_up), doubt
    if phase is Phase.PAUSING or heard is Heard.DUE:
        return None
    if stance is Stance.GIVEN_UP:
        return (giving_up if heard is Heard.FAILED else Verdict.BURY), doubt or heard is not Heard.FAILED
    again = Verdict.REPEAT if heard is Heard.CRASHED else Verdict.PAUSE
    return again, doubt or heard is not Heard.FAILED


def _back(phase: Phase, heard: Heard, doubt: bool) -> Taken | None:
    if heard is Heard.OK:
        return Verdict.UNDONE, False
    if phase is Phase.RESTING and heard is Heard.DUE:
        return Verdict.REPEAT, doubt
    if heard is Heard.DUE or (phase is Phase.RESTING and heard is not Heard.REFUSED):
        return None
    return (Verdict.REPEAT if heard is Heard.CRASHED else Verdict.PAUSE), doubt


def _rows() -> Iterator[tuple[Given, Taken]]:
    for phase, heard, stance, doubt in product(Phase, Heard, Stance, (False, True)):
        forward = phase in (Phase.CALLING, Phase.PAUSING)
        taken = _forward(phase, heard, stance, doubt) if forward else _back(phase, heard, doubt)
        if taken is not None:
            yield (phase, heard, stance, doubt), taken


TRANSITIONS: Mapping[Given, Taken] = dict(_rows())
"""(phase, heard, stance, doubt) to (verdict, doubt afterwards). What is not in it cannot happen."""
