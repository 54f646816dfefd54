"""The words in which a choreography says what it expects: `then`, `maybe`, `all_of`, `either`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import Any

from bandstand.events import Envelope, Event
from bandstand.sagas.choreography.expectation import Path, Step

__all__ = ["AllOf", "Either", "Key", "Node", "Spoken", "Then", "all_of", "courses", "either", "maybe", "nodes", "then"]

Key = str | Callable[[Any, Envelope], object]
"""How an event names its journey: one of its fields, a function of event and envelope, or "" for its subject."""


@dataclass(frozen=True, kw_only=True)
class Then:
    """One event."""

    event: type[Event]
    within: timedelta | None = None
    key: Key | None = None
    is_optional: bool = False

    @property
    def name(self) -> str:
        """The event's name."""
        return self.event.event_name


@dataclass(frozen=True, kw_only=True)
class AllOf:
    """Events that may come in any order."""

    members: tuple[Then, ...]


@dataclass(frozen=True, kw_only=True)
class Either:
    """Courses of which a journey takes one."""

    branches: tuple[tuple["Node", ...], ...]


Node = Then | AllOf | Either
Spoken = type[Event] | Node
Branch = Spoken | Sequence[Spoken]


def then(event: type[Event], *, within: timedelta | None = None, key: Key | None = None) -> Then:
    """Expect *event*, at most *within* after what comes before it. *key* replaces the choreography's for this event."""
    return Then(event=event, within=within, key=key)


def maybe(event: type[Event], *, key: Key | None = None) -> Then:
    """Allow *event* at this point or later, without waiting for it."""
    return Then(event=event, key=key, is_optional=True)


def all_of(*members: type[Event] | Then, within: timedelta | None = None) -> AllOf:
    """Expect all of *members* in any order, each *within* after what comes before, unless it says itself."""
    steps = (each if isinstance(each, Then) else then(each) for each in members)
    return AllOf(members=tuple(_bounded(each, within) for each in steps))


def either(*branches: Branch, within: timedelta | None = None) -> Either:
    """Expect one of *branches*: an event, or a sequence of steps whose first comes *within*.

    Branches may share events; a branch is out of the question once an event has come that it does not have.
    """
    found = (nodes([each] if isinstance(each, type | Then | AllOf | Either) else each) for each in branches)
    return Either(branches=tuple(_begun(branch, within) for branch in found))


def nodes(spoken: Iterable[Spoken]) -> tuple[Node, ...]:
    """Read steps, bare events among them."""
    return tuple(then(each) if isinstance(each, type) else each for each in spoken)


def courses(sequence: Iterable[Node]) -> list[Path]:
    """Every course through *sequence*."""
    return [sum(parts, ()) for parts in product(*map(_courses_of, sequence))]


def _courses_of(node: Node) -> list[Path]:
    if isinstance(node, Either):
        return [course for branch in node.branches for course in courses(branch)]
    members = node.members if isinstance(node, AllOf) else (node,)
    return [(tuple(Step(event=each.name, within=each.within, is_optional=each.is_optional) for each in members),)]


def _bounded(step: Then, within: timedelta | None) -> Then:
    return step if step.is_optional or step.within is not None else replace(step, within=within)


def _begun(branch: Sequence[Node], within: timedelta | None) -> tuple[Node, ...]:
    """Bound what a branch waits for first."""
    bounded: list[Node] = []
    for number, node in enumerate(branch):
        if isinstance(node, Then) and node.is_optional:
            bounded.append(node)
            continue
        if isinstance(node, Then):
            bounded.append(_bounded(node, within))
        elif isinstance(node, AllOf):
            bounded.append(AllOf(members=tuple(_bounded(each, within) for each in node.members)))
        else:
            bounded.append(Either(branches=tuple(_begun(each, within) for each in node.branches)))
        return (*bounded, *branch[number + 1 :])
    return tuple(bounded)
