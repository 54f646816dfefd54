"""Step functions replaced for a while, in sagas as they are declared: the engine and the worker notice nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bandstand.sagas import ChildSaga, Each, Parallel, Saga
from bandstand.sagas.plan import Plan
from bandstand.sagas.registry import sagas
from bandstand.sagas.steps import Leaf, Node

__all__ = ["Rewrite", "declared", "rewritten", "with_children"]

Rewrite = Callable[[Saga, Leaf], Leaf]
"""Gives what stands in the place of a step."""


def declared(saga: type[Saga] | Saga) -> Saga:
    """The instance by which *saga* is run in this process. Raises LookupError for one without a name."""
    if isinstance(saga, Saga):
        return saga
    found = sagas.get(saga.name)
    if found is None:
        raise LookupError(f"{saga} is not declared: a saga needs a name")
    return found


def with_children(saga: Saga) -> list[Saga]:
    """*saga*, its children and theirs."""
    found = [saga]
    for one in found:
        children = [declared(leaf.saga) for leaf in one.plan.leaves if isinstance(leaf, ChildSaga)]
        found += [child for child in children if child not in found]
    return found


@contextmanager
def rewritten(family: Iterable[Saga], rewrite: Rewrite) -> Iterator[None]:
    """Let *rewrite* replace every step of these sagas within the block."""
    with ExitStack() as stack:
        for saga in family:
            before = saga.plan
            stack.callback(saga.__dict__.__setitem__, "plan", before)
            saga.__dict__["plan"] = Plan(_nodes(saga, saga.steps, rewrite))
        yield


def _nodes(saga: Saga, nodes: Sequence[Node], rewrite: Rewrite) -> list[Node]:
    return [_node(saga, node, rewrite) for node in nodes]


def _node(saga: Saga, node: Node, rewrite: Rewrite) -> Node:
    match node:
        case Parallel():
            branches = (_nodes(saga, branch, rewrite) for branch in node.branches)
            return Parallel(node.name, *branches, when=node.when)
        case Each():
            return _loop(node, _nodes(saga, node.steps, rewrite))
        case _:
            return rewrite(saga, node)


def _loop(node: Each, steps: Sequence[Node]) -> Each:
    return Each(
        node.name,
        *steps,
        over=node.over,
        key=node.key,
        collect=node.collect,
        one_by_one=node.one_by_one,
        when=node.when,
    )
