"""The way forward: what begins once something is done."""

from bandstand.sagas.engine.attempts import begin, decide
from bandstand.sagas.engine.back import finish, turn_back, why_given_up
from bandstand.sagas.engine.members import GIVEN_UP, PAUSING
from bandstand.sagas.engine.move import PARENT, Move
from bandstand.sagas.engine.patience import LONG, stance
from bandstand.sagas.plan import Spot, item_of, unit_of
from bandstand.sagas.protocol import Position, Ready, SagaStatus
from bandstand.sagas.steps import Each, Leaf

__all__ = ["enter", "enter_branches", "enter_loop", "follow"]


def enter(move: Move, spot: Spot, item: str | None) -> None:
    """Arrive at a place."""
    node = spot.node
    unit = unit_of(node.name, item)
    given_up = isinstance(node, Leaf) and stance(move.state, node, move.now, move.now) is GIVEN_UP
    if given_up or move.is_unwanted:
        turn_back(move, why_given_up(move))
    elif node.decides:
        decide(move, move.add(Position(unit=unit, phase=PAUSING, since=move.now, next_at=move.now)))
    elif isinstance(node, Leaf):
        begin(move, move.add(Position(unit=unit, phase=PAUSING, since=move.now, next_at=move.now)), node)
    else:
        enter_branches(move, spot, item)


def enter_branches(move: Move, spot: Spot, item: str | None) -> None:
    """Arrive at the first places within a group, all at once."""
    for head in spot.heads:
        if move.state.ending is None:
            enter(move, head, item)
    if not spot.heads:
        follow(move, spot, item)


def enter_loop(move: Move, spot: Spot, keys: tuple[str, ...]) -> None:
    """Arrive at a loop whose items are known now."""
    move.change(items={**move.state.items, spot.node.name: keys})
    one_by_one = isinstance(spot.node, Each) and spot.node.one_by_one
    for key in keys[:1] if one_by_one else keys:
        if move.state.ending is None:
            enter_branches(move, spot, key)
    if not keys:
        follow(move, spot, None)


def follow(move: Move, spot: Spot, item: str | None) -> None:
    """Go on behind a place that is done."""
    while move.state.ending is None:
        if spot.after is not None:
            enter(move, spot.after, item)
            return
        group = spot.around
        if group is None:
            _complete(move)
            return
        following = _next_item(move, group, item)
        if following is not None:
            enter_branches(move, group, following)
            return
        if _is_open(move, group, item):
            return  # the join waits for the other branches
        spot, item = group, (None if isinstance(group.node, Each) else item)


def _next_item(move: Move, group: Spot, item: str | None) -> str | None:
    node = group.node
    if not isinstance(node, Each) or not node.one_by_one or item is None:
        return None
    if any(item_of(one.unit) == item for one in _within(move, group)):
        return None
    keys = move.state.items[node.name]
    index = keys.index(item) + 1
    return keys[index] if index < len(keys) else None


def _is_open(move: Move, group: Spot, item: str | None) -> bool:
    inside = _within(move, group)
    if isinstance(group.node, Each):
        return bool(inside)
    return any(item_of(one.unit) == item or move.plan.spot(one.unit) is None for one in inside)


def _within(move: Move, group: Spot) -> list[Position]:
    # Where a step belongs that this release does not know is not known either: no join passes it by.
    spots = ((one, move.plan.spot(one.unit)) for one in move.state.at)
    return [one for one, spot in spots if spot is None or spot.is_within(group)]


def _complete(move: Move) -> None:
    if move.state.forced or (move.state.cancel_requested and not move.state.forward):
        turn_back(move, why_given_up(move))
    elif move.state.parent:
        move.add(Position(unit=PARENT, phase=PAUSING, since=move.now, next_at=move.now + LONG))
        move.commands.append(Ready())
    else:
        finish(move, SagaStatus.COMPLETED, "")
