"""How long a saga keeps trying, and how far apart."""

from datetime import datetime, timedelta

from bandstand.sagas.engine.members import FORWARD, GIVEN_UP, OPEN, RETRIABLE
from bandstand.sagas.protocol import Position, State
from bandstand.sagas.steps import Leaf
from bandstand.sagas.transitions import Stance

__all__ = ["FORWARD_CAP", "LONG", "PARK_AFTER", "SLOW_CAP", "budget", "patience", "pause", "stance"]

FORWARD_CAP = timedelta(seconds=5)
SLOW_CAP = timedelta(seconds=60)
BASE = timedelta(milliseconds=100)
LONG = timedelta(days=1)
"""How often a saga is looked at that waits without a limit."""
PARK_AFTER = 10
"""An undo that has failed so often is shown as `compensation_failed`."""


def stance(state: State, leaf: Leaf, since: datetime, now: datetime) -> Stance:
    """How the saga stands to a step that was begun at *since*."""
    if state.forced:
        return GIVEN_UP
    if state.forward or leaf.kind is RETRIABLE:
        return FORWARD
    if state.cancel_requested or state.ending is not None:
        return GIVEN_UP
    until = patience(state, leaf, since)
    return GIVEN_UP if until is not None and now >= until else OPEN


def patience(state: State, leaf: Leaf, since: datetime) -> datetime | None:
    """The moment at which a step is given up: its own timeout or the saga's deadline."""
    if leaf.timeout is None:
        return state.deadline
    timeout = since + leaf.timeout
    return timeout if state.deadline is None else min(timeout, state.deadline)


def budget(state: State, position: Position, leaf: Leaf, now: datetime) -> timedelta:
    """How long the call at hand may take."""
    timeout = leaf.timeout or SLOW_CAP
    if state.forward or leaf.kind is RETRIABLE or state.ending is not None:
        return timeout
    until = patience(state, leaf, position.since)
    return timeout if until is None else max(timedelta(0), min(timeout, until - now))


def pause(leaf: Leaf, attempt: int, jitter: float) -> timedelta:
    """The time before the next attempt, going forward: full jitter (AWS Architecture Blog, 2015)."""
    policy = leaf.retry
    if policy.attempts is not None and attempt >= policy.attempts:
        return SLOW_CAP * (0.5 + jitter / 2)
    longest = policy.cap.total_seconds()
    return timedelta(
        seconds=jitter * min(longest, policy.first.total_seconds() * policy.factor ** min(attempt - 1, 64))
    )


def undo_pause(attempt: int, jitter: float) -> timedelta:
    """The time before an undo is tried again; a parked saga keeps at least half of the cap between attempts."""
    longest: timedelta = min(SLOW_CAP, BASE * 2 ** min(attempt - 1, 20))
    return longest * (0.5 + jitter / 2) if attempt >= PARK_AFTER else longest * jitter
