"""What must hold when a schedule is over and everything has healed."""

from collections.abc import Iterator, Sequence

from bandstand.sagas.plan import unit_of
from bandstand.sagas.protocol import Outcome, SagaStatus
from bandstand.sagas.steps import ChildSaga, Direction, Each, Leaf, Node, Parallel
from bandstand.testing.simulation.storage import Row, Violation, has_effect
from bandstand.testing.simulation.world import World

__all__ = ["check"]


def check(world: World) -> None:
    """Raise Violation for the first promise that was not kept."""
    for row in world.rows:
        if not row.ended or row.state.at or not row.state.status.is_final:
            raise Violation("every saga ends", f"#{row.id} is {row.state.status}")
        if row.state.status is SagaStatus.COMPLETED:
            _is_complete(world, row)
        else:
            _is_undone(world, row)
        _log_is_true(world, row)


def _is_complete(world: World, row: Row) -> None:
    for unit, leaf in _expected(row, row.saga.steps, None):
        if unit in row.excused:
            continue
        if isinstance(leaf, ChildSaga):
            child = row.children.get(unit)
            if child is not None and child.forced:
                continue  # a person has undone it by itself
            if child is None or child.state.status is not SagaStatus.COMPLETED:
                raise Violation("completed means that every step is done", f"#{row.id} {unit}: {child and child.state}")
            continue
        effect = world.network.effect(row, unit)
        if has_effect(leaf) and (effect.applied != 1 or effect.reversed):
            counts = f"applied {effect.applied} times, undone {effect.reversed} times"
            raise Violation("completed means that every step happened once", f"#{row.id} {unit}: {counts}")


def _is_undone(world: World, row: Row) -> None:
    for unit, child in row.children.items():
        if child.state.status is SagaStatus.COMPLETED and unit not in row.excused:
            raise Violation("undone means that every child is undone", f"#{row.id} {unit}")
    for (number, unit), effect in world.network.effects.items():
        if number != row.id or unit in row.excused or not effect.applied:
            continue
        leaf = row.saga.plan.leaf(unit)
        if leaf is not None and has_effect(leaf) and leaf.is_undone and effect.net:
            status = row.state.status
            raise Violation("undone means that nothing is left", f"#{row.id} is {status}, {unit} counts {effect.net}")


def _log_is_true(world: World, row: Row) -> None:
    """Done means applied and undone means not applied, line by line."""
    last = {line.unit: line for line in row.log if line.outcome is Outcome.OK and line.unit not in row.excused}
    for unit, line in last.items():
        leaf = row.saga.plan.leaf(unit)
        if leaf is None or not has_effect(leaf) or isinstance(leaf, ChildSaga):
            continue
        net = world.network.effect(row, unit).net
        if (net == 1) is not (line.direction is Direction.DO):
            raise Violation("the log says what is so", f"#{row.id} {unit}: {line.direction} ok, but it counts {net}")


def _expected(row: Row, nodes: Sequence[Node], item: str | None) -> Iterator[tuple[str, Leaf]]:
    """Every step that a completed saga must have done, by what was decided on the way."""
    for node in nodes:
        unit = unit_of(node.name, item)
        if row.decided.get(unit, True) is False:
            continue
        if isinstance(node, Leaf):
            yield unit, node
        elif isinstance(node, Parallel):
            for branch in node.branches:
                yield from _expected(row, branch, item)
        elif isinstance(node, Each):
            for key in row.decided.get(f"{unit} over", ()):
                yield from _expected(row, node.steps, key)
