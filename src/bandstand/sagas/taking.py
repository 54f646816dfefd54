"""How what was said to a saga becomes an event of its engine."""

import msgspec

from bandstand.database.texts import storable
from bandstand.sagas.calls import Answer, heard_of
from bandstand.sagas.engine.move import PARENT
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.protocol import (
    Answered,
    CancelRequested,
    Event,
    Hurried,
    Outcome,
    Position,
    Resolved,
    State,
    TurnedBack,
    Withdrawn,
)
from bandstand.sagas.runs import Run
from bandstand.sagas.signals import SignalName
from bandstand.sagas.steps import Approval, ChildSaga, Direction, Leaf, SagaCommand, WaitFor
from bandstand.sagas.transitions import Phase

__all__ = ["Taken", "take"]

Taken = Event | Answer | None
"""An event; an answer with what it changes; None when the saga has no use for it any more."""

_ADDRESSEES: dict[SignalName, type[Leaf] | tuple[type[Leaf], ...]] = {
    SignalName.HEARD: (WaitFor, SagaCommand),
    SignalName.RECALLED: SagaCommand,
    SignalName.APPROVED: Approval,
    SignalName.REJECTED: Approval,
    SignalName.CHILD_READY: ChildSaga,
    SignalName.CHILD_ENDED: ChildSaga,
}
_UNDONE = (SignalName.RECALLED, SignalName.CHILD_ENDED)
"""What confirms an undo. A late reply does not: it speaks of the command, which may be heard before its recall."""
_REASON = 200
_WAITING = (Phase.PAUSING, Phase.RESTING)


class NotYet(Exception):
    """The step that waits for this signal has not begun, or this release knows nothing of either."""


def take(run: Run, state: State, text: str, signal: SagaSignal) -> Taken:
    """Translate one signal. Raises NotYet when it must be kept for later."""
    name = _known(signal.name)
    match name:
        case SignalName.CANCEL:
            return CancelRequested()
        case SignalName.COMPENSATE:
            return TurnedBack(_reason(signal.note) or "compensated")
        case SignalName.RETRY:
            return Hurried()
        case SignalName.SKIP:
            return _resolved(state, signal, Outcome.SKIPPED)
        case SignalName.RESOLVE:
            return _resolved(state, signal, None)
        case SignalName.PARENT_ENDED:
            return _let_go(state)
        case SignalName.ANNOTATE:
            return None
        case _:
            return _awaited(run, state, text, signal, name)


def _known(name: str) -> SignalName:
    try:
        return SignalName(name)
    except ValueError as unknown:
        raise NotYet from unknown  # a worker of a later release knows it


def _let_go(state: State) -> Answered | None:
    """Let a child end with its parent, which may be first where a person has answered for the child."""
    if state.direction is Direction.DO and not any(one.unit == PARENT for one in state.at):
        raise NotYet
    return Answered(PARENT, Direction.DO, Outcome.OK)


def _awaited(run: Run, state: State, text: str, signal: SagaSignal, name: SignalName) -> Taken:
    position = _waits(state, signal.step)
    if position is None:
        return _not_awaited(state, signal, name)
    leaf = run.saga.plan.leaf(position.unit)
    if leaf is None:
        raise NotYet
    if not isinstance(leaf, _ADDRESSEES[name]):
        return None
    if state.direction is Direction.UNDO:
        return Answered(position.unit, Direction.UNDO, Outcome.OK) if name in _UNDONE else None
    if name is SignalName.REJECTED:
        reason = _reason(signal.note) or "rejected"
        return Answered(position.unit, Direction.DO, Outcome.REFUSED, reason=reason, error=f"by {signal.said_by}")
    return None if name is SignalName.RECALLED else heard_of(run, leaf, position.unit, signal.payload, text)


def _not_awaited(state: State, signal: SagaSignal, name: SignalName) -> Withdrawn | None:
    if state.direction is Direction.UNDO:
        return None
    unit = next((one for one in state.done if signal.step in (one, state.begun_as(one))), None)
    if unit is None:
        raise NotYet
    if name is not SignalName.CHILD_ENDED or unit in state.buried:
        return None
    told = msgspec.json.decode(signal.payload)
    return Withdrawn(told["reason"] or told["status"])  # a child that was ready has been undone on its own


def _resolved(state: State, signal: SagaSignal, outcome: Outcome | None) -> Resolved | None:
    """What a person says of a step counts on the way on which it was meant, and not while a call is under way."""
    said = msgspec.json.decode(signal.payload) if signal.payload else {}
    position = next((one for one in state.at if one.unit == signal.step), None)
    if position is None or said.get("direction", state.direction) != state.direction:
        return None
    if position.phase not in _WAITING:
        raise NotYet
    return Resolved(signal.step, outcome or Outcome(said["outcome"]), _reason(signal.note), said.get("attempt"))


def _reason(note: str) -> str:
    """A note as the reason of a saga: no longer than its column."""
    return storable(note)[:_REASON]


def _waits(state: State, step: str) -> Position | None:
    waiting = (one for one in state.at if one.phase in _WAITING and one.attempt)
    return next((one for one in waiting if step in (one.unit, state.begun_as(one.unit))), None)
