"""Doing what the table of transitions says."""

from bandstand.sagas.engine.attempts import begin, pause_before_next
from bandstand.sagas.engine.back import bury, settle_others, turn_back, undo_next, why_given_up
from bandstand.sagas.engine.forward import enter, follow
from bandstand.sagas.engine.members import CLEAN, DONE, PAUSE, REPEAT, UNDO, UNDONE
from bandstand.sagas.engine.move import Hearing, Move
from bandstand.sagas.plan import item_of, passes_pivot
from bandstand.sagas.protocol import Position
from bandstand.sagas.steps import Leaf
from bandstand.sagas.transitions import TRANSITIONS

__all__ = ["judge", "settle_unit"]


def judge(move: Move, position: Position, leaf: Leaf, hearing: Hearing) -> None:
    """Do what the table says."""
    verdict, doubt = TRANSITIONS[position.phase, hearing.heard, hearing.stance, position.doubt]
    if doubt is not position.doubt and verdict in (REPEAT, PAUSE):
        position = move.amend(position, doubt=doubt)
    if verdict is DONE or verdict is UNDONE:
        settle_unit(move, position)
    elif verdict is REPEAT:
        begin(move, position, leaf)
    elif verdict is PAUSE:
        pause_before_next(move, position, leaf, hearing)
    else:
        if verdict is CLEAN:
            move.remove(position)
        else:
            bury(move, position)
        turn_back(move, hearing.why or why_given_up(move))


def settle_unit(move: Move, position: Position, *, buried: bool = False) -> None:
    """Take a step as done, or as undone on the way back, and go on."""
    unit, state = position.unit, move.state
    if state.direction is UNDO:
        left = tuple(name for name in state.done if name != unit)
        move.remove(position, done=left, buried=tuple(name for name in state.buried if name != unit))
        undo_next(move)
        return
    spot, leaf = move.plan.spot(unit), move.plan.leaf(unit)
    forward = state.forward or (leaf is not None and passes_pivot(leaf) and not state.forced)
    move.remove(
        position,
        done=(*state.done, unit),
        forward=forward,
        buried=(*state.buried, unit) if buried else state.buried,
    )
    if move.state.ending is not None:
        settle_others(move)
    elif spot is not None:
        follow(move, spot, item_of(unit))
    else:
        _follow_unknown(move, state.done)


def _follow_unknown(move: Move, before: tuple[str, ...]) -> None:
    """Go on behind a step that this release does not have: behind the one before it."""
    known = next((unit for unit in reversed(before) if move.plan.spot(unit) is not None), None)
    spot = move.plan.spot(known) if known is not None else None
    if known is not None and spot is not None:
        follow(move, spot, item_of(known))
    elif move.plan.first is not None:
        enter(move, move.plan.first, None)
