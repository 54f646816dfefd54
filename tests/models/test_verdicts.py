"""The engine takes no decision of its own: in every state that a saga can reach, its verdict is the table's.

All states of one saga are visited, breadth first, at two moments: in time and after its deadline. Row and verdict are
read off the states before and after, not off what the engine looks up.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from msgspec.structs import replace

from bandstand.sagas import Approval, Parallel, Saga, SagaStep, StepCall, StepKind
from bandstand.sagas.engine import born, step
from bandstand.sagas.protocol import (
    Answered,
    Begun,
    CancelRequested,
    Command,
    Due,
    Event,
    Log,
    Outcome,
    Position,
    Resumed,
    State,
)
from bandstand.sagas.steps import Direction
from bandstand.sagas.transitions import TRANSITIONS, Heard, Phase, Stance, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATE = NOW + timedelta(hours=1)
PIVOT, BEHIND = "capture", "commit"
UNDER_WAY = (Phase.CALLING, Phase.UNDOING)
ANSWERS = {
    Outcome.OK: Heard.OK,
    Outcome.REFUSED: Heard.REFUSED,
    Outcome.FAILED: Heard.FAILED,
    Outcome.UNKNOWN: Heard.UNKNOWN,
}

Row = tuple[Phase, Heard, Stance, bool]


def nothing(call: StepCall) -> None:
    return None


class Checkout(Saga):
    steps = (
        Parallel(
            "prepare",
            SagaStep("reserve", do=nothing, undo=nothing),
            [
                SagaStep("coupon", do=nothing, undo=nothing),
                Approval("release", permission="sagas.approve", undo=nothing),
            ],
        ),
        SagaStep(PIVOT, kind=StepKind.PIVOT, do=nothing, undo=nothing),
        SagaStep(BEHIND, kind=StepKind.RETRIABLE, do=nothing),
    )


SAGA = Checkout()


@dataclass(frozen=True)
class Move:
    """One step of the engine, and the verdicts that it shows."""

    before: State
    event: Event
    now: datetime
    after: State
    commands: tuple[Command, ...]


def test_every_verdict_of_the_engine_is_the_tables():
    for move in moves():
        for position, heard in heard_by(move):
            row = row_of(move, position, heard)
            assert verdict_on(move, position) == TRANSITIONS[row][0], (row, move)


def test_doubt_is_carried_on_as_the_table_says():
    for move in moves():
        for position, heard in heard_by(move):
            verdict, doubt = TRANSITIONS[row_of(move, position, heard)]
            if verdict in (Verdict.REPEAT, Verdict.PAUSE):
                assert at_hand(move.after, position.unit).doubt == doubt, move


def test_every_row_that_a_call_can_meet_is_met():
    met = {row_of(move, position, heard)[:3] for move in moves() for position, heard in heard_by(move)}
    calling = {row[:3] for row in TRANSITIONS if row[0] is Phase.CALLING}
    pausing = {(Phase.PAUSING, Heard.DUE, stance) for stance in Stance}
    back = {row[:3] for row in TRANSITIONS if row[0] is Phase.UNDOING and row[2] is Stance.GIVEN_UP}
    assert calling | pausing | back | {(Phase.RESTING, Heard.DUE, Stance.GIVEN_UP)} <= met


def test_an_attempt_begins_with_its_intent():
    for move in moves():
        for position in move.after.at:
            if position.next_at is None and at_hand(move.before, position.unit) != position:
                assert any(is_intent(command, position.unit) for command in move.commands), move


def test_nothing_is_done_twice_and_nothing_is_forgotten():
    for move in moves():
        units = [position.unit for position in move.after.at if move.after.direction is Direction.DO]
        assert len(set(units)) == len(units), move
        assert len(set(move.after.done)) == len(move.after.done), move
        assert not set(units) & set(move.after.done), move


def test_nothing_is_undone_while_a_call_is_under_way_elsewhere():
    for move in moves():
        undoing = [position for position in move.after.at if position.phase in (Phase.UNDOING, Phase.RESTING)]
        assert not undoing or len(move.after.at) == 1, move


# ---- all moves


@cache
def moves() -> tuple[Move, ...]:
    """Every move from every state that can be reached; attempts and moments do not make a state another one."""
    first, _ = step(SAGA, born(SAGA, NOW), Begun(), NOW)
    seen, new, found = {key(first)}, deque([settled(first)]), []
    while new:
        before = new.popleft()
        for event, now in happenings(before):
            after, commands = step(SAGA, before, event, now)
            found.append(Move(before, event, now, after, commands))
            if not after.status.is_final and key(after) not in seen:
                seen.add(key(after))
                new.append(settled(after))
    return tuple(found)


def happenings(state: State) -> Iterator[tuple[Event, datetime]]:
    for now in (NOW, LATE):
        yield Resumed(), now
        yield CancelRequested(), now
        if any(position.next_at is not None for position in state.at):
            yield Due(), now
        for position in state.at:
            for outcome in outcomes(position):
                yield Answered(position.unit, state.direction, outcome, jitter=0.0), now
            if position.phase in UNDER_WAY:
                yield Answered(position.unit, state.direction, Outcome.REFUSED, doubtful=True), now


def outcomes(position: Position) -> tuple[Outcome, ...]:
    if position.unit == "release":
        return (Outcome.OK, Outcome.REFUSED)
    return tuple(ANSWERS) if position.phase in UNDER_WAY else ()


def settled(state: State) -> State:
    """The state as of NOW, at the first attempt, with everything due that waits."""
    at = [
        replace(one, attempt=1, since=NOW, error="", next_at=None if one.next_at is None else NOW) for one in state.at
    ]
    return replace(state, at=tuple(at))


def key(state: State) -> str:
    return repr(replace(settled(state), reason="", ending=None if state.ending is None else "x"))


# ---- reading a move


def heard_by(move: Move) -> Iterator[tuple[Position, Heard]]:
    """What each step at hand heard; a step that heard nothing is left out."""
    event, before = move.event, move.before
    if isinstance(event, Answered):
        position = at_hand(before, event.unit)
        yield replace(position, doubt=position.doubt or event.doubtful), ANSWERS[event.outcome]
    elif isinstance(event, Resumed | Due):
        for position in before.at:
            if position.phase not in UNDER_WAY:
                yield position, Heard.DUE
            elif isinstance(event, Resumed):
                yield position, Heard.CRASHED


def row_of(move: Move, position: Position, heard: Heard) -> Row:
    return position.phase, heard, stance_of(move, position), position.doubt


def stance_of(move: Move, position: Position) -> Stance:
    state = move.before
    if state.ending is not None:
        return Stance.GIVEN_UP
    if position.unit == BEHIND or PIVOT in state.done:
        return Stance.FORWARD
    return Stance.GIVEN_UP if state.cancel_requested or move.now == LATE else Stance.OPEN


def verdict_on(move: Move, position: Position) -> Verdict:
    unit, after = position.unit, move.after
    now = at_hand(after, unit)
    if any(is_intent(command, unit) and command.direction is move.before.direction for command in move.commands):
        return Verdict.REPEAT
    if now is not None and after.direction is move.before.direction:
        return Verdict.PAUSE
    if move.before.direction is Direction.UNDO:
        return Verdict.UNDONE if unit not in after.done else Verdict.PAUSE
    if unit in after.buried:
        return Verdict.BURY
    return Verdict.DONE if unit in after.done else Verdict.CLEAN


def at_hand(state: State, unit: str) -> Position | None:
    return next((position for position in state.at if position.unit == unit), None)


def is_intent(command: Command, unit: str) -> bool:
    return isinstance(command, Log) and command.unit == unit and command.outcome is Outcome.INTENT
