"""The way back: begin nothing any more, settle what is under way, undo what is done."""

from bandstand.sagas.engine.attempts import begin, park
from bandstand.sagas.engine.members import BURY, DUE, GIVEN_UP, PAUSING, RESTING, UNDO
from bandstand.sagas.engine.move import Move, Why
from bandstand.sagas.protocol import End, Position, SagaStatus
from bandstand.sagas.steps import Leaf
from bandstand.sagas.transitions import TRANSITIONS

__all__ = ["bury", "finish", "settle_others", "turn_back", "undo_next", "why_given_up"]


def why_given_up(move: Move) -> Why:
    """How a saga ends that nobody has refused."""
    state = move.state
    if state.cancel_requested and state.reason and not state.forced:
        return SagaStatus.COMPENSATED, state.reason  # a participant took back what it had done
    if state.forced:
        return SagaStatus.CANCELLED, state.reason
    return SagaStatus.CANCELLED, "requested" if state.cancel_requested else "deadline"


def turn_back(move: Move, why: Why) -> None:
    """Begin nothing any more; once every call under way has been answered, undo what is done."""
    if move.state.ending is None:
        status, reason = why
        move.change(ending=status, reason=reason)
    settle_others(move)


def settle_others(move: Move) -> None:
    """Let go of every step that only waits; once no call is under way, undo what is done."""
    if move.state.direction is UNDO:
        return
    for position in move.state.at:
        if position.phase is PAUSING:
            verdict, _ = TRANSITIONS[PAUSING, DUE, GIVEN_UP, position.doubt]
            if verdict is BURY:
                bury(move, position)
            else:
                move.remove(position)
    if not move.state.at:
        move.change(direction=UNDO)
        undo_next(move)


def bury(move: Move, position: Position) -> None:
    """Count a step of unknown outcome among those to undo."""
    state = move.state
    move.remove(position, done=(*state.done, position.unit), buried=(*state.buried, position.unit))


def undo_next(move: Move) -> None:
    """Undo the latest step that is not undone; steps that need no undo are passed over."""
    while move.state.done:
        unit = move.state.done[-1]
        leaf = move.plan.leaf(unit)
        if leaf is None:
            park(move, move.add(Position(unit=unit, phase=RESTING, since=move.now)))
            return
        if leaf.is_undone:
            _undo(move, unit, leaf)
            return
        move.change(done=move.state.done[:-1])
    finish(move, move.state.ending or SagaStatus.CANCELLED, move.state.reason)


def _undo(move: Move, unit: str, leaf: Leaf) -> None:
    position = move.add(Position(unit=unit, phase=RESTING, since=move.now, next_at=move.now))
    if leaf.settle_after is not None and unit in move.state.buried:
        move.amend(position, next_at=move.now + leaf.settle_after)  # it may be on its way still
    else:
        begin(move, position, leaf)


def finish(move: Move, status: SagaStatus, reason: str) -> None:
    """End."""
    move.change(at=(), status=status, reason=reason)
    move.commands.append(End(status, reason))
