"""A saga's declaration as the engine reads it: what follows what, by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from bandstand.sagas.steps import ChildSaga, Each, Group, Leaf, Node, Parallel, SagaStep, StepKind

__all__ = ["Plan", "Spot", "base_of", "item_of", "passes_pivot", "unit_of"]


@dataclass(eq=False, slots=True)
class Spot:
    """The place of one node: what comes after it in its sequence, and the group around that sequence.

    `heads` are the first places within a group, one per branch.
    """

    node: Node
    around: "Spot | None" = None
    after: "Spot | None" = None
    heads: list["Spot"] = field(default_factory=list)

    @property
    def each(self) -> "Spot | None":
        """The loop around it, if there is one."""
        spot = self.around
        while spot is not None and not isinstance(spot.node, Each):
            spot = spot.around
        return spot

    def is_within(self, group: "Spot") -> bool:
        """Whether it lies inside *group*, at any depth."""
        spot = self.around
        while spot is not None and spot is not group:
            spot = spot.around
        return spot is group


class Plan:
    """All places of a saga by the names of their nodes; `patience` bounds the way to its pivot."""

    def __init__(self, nodes: Sequence[Node], *, patience: timedelta | None = None) -> None:
        self.patience = patience
        self.spots: dict[str, Spot] = {}
        self.names: list[str] = []
        self.first = self._lay(nodes, None)
        self.leaves = [spot.node for spot in self.spots.values() if isinstance(spot.node, Leaf)]
        self.renewed = [leaf for leaf in self.leaves if isinstance(leaf, SagaStep) and leaf.renew_every is not None]
        self.has_children = any(isinstance(leaf, ChildSaga) for leaf in self.leaves)

    def spot(self, unit: str) -> Spot | None:
        """The place of a unit, or None when this release of the saga has none of that name."""
        return self.spots.get(unit) or self.spots.get(base_of(unit))

    def leaf(self, unit: str) -> Leaf | None:
        """The step or wait of a unit, or None when this release of the saga has none of that name."""
        spot = self.spots.get(unit) or self.spots.get(base_of(unit))
        return spot.node if spot is not None and isinstance(spot.node, Leaf) else None

    def is_within(self, name: str, group: str) -> bool:
        """Whether the node *name* lies inside the group of that name, at any depth."""
        return self.spots[name].is_within(self.spots[group])

    def groups(self) -> Iterator[Group]:
        """All groups, outer ones first."""
        return (spot.node for spot in self.spots.values() if isinstance(spot.node, Parallel | Each))

    def _lay(self, nodes: Sequence[Node], around: Spot | None) -> Spot | None:
        first: Spot | None = None
        previous: Spot | None = None
        for node in nodes:
            self.names.append(node.name)
            if not _is_something(node):
                continue  # a group without steps is done before it begins
            spot = Spot(node, around)
            self.spots[node.name] = spot
            if previous is not None:
                previous.after = spot
            first, previous = first or spot, spot
            for branch in _branches(node):
                head = self._lay(branch, spot)
                if head is not None:
                    spot.heads.append(head)
        return first


def _branches(node: Node) -> Sequence[Sequence[Node]]:
    if isinstance(node, Parallel):
        return node.branches
    return (node.steps,) if isinstance(node, Each) else ()


def _is_something(node: Node) -> bool:
    return isinstance(node, Leaf) or any(_is_something(one) for branch in _branches(node) for one in branch)


def passes_pivot(leaf: Leaf) -> bool:
    """Whether nothing is undone any more once this step is done."""
    return leaf.kind in (StepKind.PIVOT, StepKind.RETRIABLE)


def unit_of(name: str, item: str | None) -> str:
    """The name of one step at work: of an item, within a loop."""
    return name if item is None else f"{name}:{item}"


def base_of(unit: str) -> str:
    """The step's name in the declaration."""
    return unit.partition(":")[0]


def item_of(unit: str) -> str | None:
    """The key of the item, within a loop."""
    _, colon, item = unit.partition(":")
    return item if colon else None
