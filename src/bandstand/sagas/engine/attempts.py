"""One attempt of a step: its intent, its pause, what it waits for."""

from datetime import datetime

from bandstand.sagas.engine.members import (
    CALL,
    CALLING,
    HEARD_REFUSED,
    LOCAL,
    OPEN,
    PAUSING,
    RESTING,
    RETRIABLE,
    SAID_INTENT,
    UNDO,
    UNDOING,
)
from bandstand.sagas.engine.move import Hearing, Move
from bandstand.sagas.engine.patience import FORWARD_CAP, LONG, SLOW_CAP, patience, pause, undo_pause
from bandstand.sagas.protocol import Call, Decide, Position
from bandstand.sagas.steps import Leaf, SagaStep

__all__ = ["await_signal", "begin", "decide", "is_promised", "park", "pause_before_next", "set_timer"]


def decide(move: Move, position: Position) -> None:
    """Have read from the context what this place needs to know."""
    move.amend(position, next_at=move.now + FORWARD_CAP)
    move.commands.append(Decide(position.unit))


def begin(move: Move, position: Position, leaf: Leaf) -> None:
    """Make the next attempt: the intent first."""
    undo = move.state.direction is UNDO
    attempt = position.attempt + 1
    calls = not is_promised(position, leaf) or undo
    if calls and _is_forgotten(move, position, leaf) and not leaf.has_query:
        error = "the participant may have forgotten the key: find out how it came out, and resolve it"
        move.amend(position, phase=PAUSING, next_at=move.now + SLOW_CAP, error=error)
        return
    if leaf.kind is RETRIABLE and not undo and not move.state.forced:
        move.change(forward=True)  # also where there is no pivot: what stands beside it may not turn back either
    phase = UNDOING if undo else CALLING
    under_way = move.amend(position, phase=phase, attempt=attempt, next_at=None)
    move.log(under_way, SAID_INTENT)
    if calls:
        query = _is_forgotten(move, position, leaf) or (undo and _is_queried(move, position.unit, leaf))
        move.commands.append(Call(position.unit, leaf, move.state.direction, attempt, query))
    else:
        await_signal(move, under_way, leaf)


def is_promised(position: Position, leaf: Leaf) -> bool:
    """Whether there is nothing to do about it but to wait. What asks once has asked when no error stands beside it."""
    if leaf.mode in (CALL, LOCAL):
        return False
    has_asked = position.phase is PAUSING and position.attempt > 0 and not position.error
    return not leaf.asks or (leaf.asks_once and has_asked)


def await_signal(move: Move, position: Position, leaf: Leaf) -> Position:
    """Wait to be told; ask once more when it takes long."""
    again = leaf.repeat_every
    until = move.now + (again or LONG)
    if move.state.direction is UNDO:
        if again is not None:
            until = max(until, move.now + undo_pause(position.attempt, 1.0))  # without end, so ever more rarely
        return move.amend(position, phase=RESTING, next_at=until)
    limit = patience(move.state, leaf, position.since)
    if limit is not None and not move.is_past_pivot:
        until = min(until, limit)
    elif leaf.optional and leaf.timeout is not None:
        until = min(until, position.since + leaf.timeout)
    return move.amend(position, phase=PAUSING, next_at=until, doubt=leaf.uncertain)


def set_timer(move: Move, position: Position, moment: datetime) -> None:
    """Wait for a moment, or for the saga's deadline if that comes first."""
    deadline = None if move.is_past_pivot else move.state.deadline
    until = moment if deadline is None or moment <= deadline else deadline
    waiting = move.amend(position, attempt=1, next_at=until)
    move.log(waiting, SAID_INTENT)


def pause_before_next(move: Move, position: Position, leaf: Leaf, hearing: Hearing) -> None:
    """Try again later."""
    if move.state.direction is UNDO:
        wait = (
            leaf.settle_after if position.absent and leaf.settle_after else undo_pause(position.attempt, hearing.jitter)
        )
        move.amend(position, phase=RESTING, next_at=move.now + wait)
        return
    # Only a person can mend a no behind the pivot.
    is_no = hearing.heard is HEARD_REFUSED
    wait = SLOW_CAP * hearing.jitter if is_no else pause(leaf, position.attempt, hearing.jitter)
    until = move.now + wait
    limit = patience(move.state, leaf, position.since)
    if hearing.stance is OPEN and limit is not None:
        until = min(until, limit)
    move.amend(position, phase=PAUSING, next_at=until)


def park(move: Move, position: Position) -> None:
    """Keep a step that this release does not know, visibly, for a release that does."""
    error = f"this release has no step {position.unit!r}"
    move.amend(position, next_at=move.now + SLOW_CAP, error=error)


def _is_forgotten(move: Move, position: Position, leaf: Leaf) -> bool:
    """Whether the participant may have forgotten the key, so that a repeat would be a second effect."""
    if not isinstance(leaf, SagaStep) or leaf.local or move.state.direction is UNDO:
        return False
    return position.doubt and move.now - position.since > leaf.horizon


def _is_queried(move: Move, unit: str, leaf: Leaf) -> bool:
    return unit in move.state.buried and leaf.has_query
