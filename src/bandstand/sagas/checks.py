"""System checks of declared sagas: bandstand.E301 to E314, W315."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import takewhile
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name for it

from bandstand.config import section
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.context_faults import faults_of
from bandstand.sagas.definition import Saga
from bandstand.sagas.plan import passes_pivot
from bandstand.sagas.registry import sagas
from bandstand.sagas.steps import (
    Approval,
    ChildSaga,
    Each,
    Group,
    Leaf,
    Mode,
    SagaCommand,
    SagaStep,
    StepKind,
    Timer,
    WaitFor,
)

__all__ = ["check_saga", "check_sagas", "check_settings"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")  # a name is a part of keys, of crash points and of metrics


@register("sagas")
def check_sagas(**_: Any) -> list[CheckMessage]:
    """Find sagas that could not be undone or carried to their end."""
    return [fault for saga in sagas for fault in check_saga(saga)]


@register("sagas")
def check_settings(**_: Any) -> list[CheckMessage]:
    """Find words among the actions that take two persons which name none."""
    from bandstand.sagas.operations.actions import Action  # noqa: PLC0415 - a worker does nothing by hand

    known = {*(action.value for action in Action), *(f"{action}_undo" for action in Action)}
    odd = sorted(set(section(SagasConfig).four_eyes) - known)
    hint = f"There are: {', '.join(sorted(known))}."
    said = f"BANDSTAND['SAGAS']['FOUR_EYES'] names {', '.join(map(repr, odd))}, which is nothing that is done to sagas."
    return [Error(said, hint=hint, id="bandstand.E320")] if odd else []


def check_saga(saga: Saga) -> Iterator[CheckMessage]:
    """The faults of one saga, and what it cannot mean."""
    if not saga.steps:
        yield _error(saga, "E305", "has no steps", "Give it a list of steps.")
        return
    yield from _names(saga)
    for fault in faults_of(saga.context) if saga.context else []:
        yield _error(saga, "E309", f"has an unfit context: {fault}", "A context is a frozen dataclass of JSON values.")
    yield from _order(saga)
    for leaf in saga.plan.leaves:
        yield from _undo(saga, leaf)
        yield from _answer(saga, leaf)
    for group in saga.plan.groups():
        yield from _group(saga, group)
    yield from _waits(saga)


def _names(saga: Saga) -> Iterator[Error]:
    for name, count in Counter(saga.plan.names).items():
        if count > 1:
            yield _error(
                saga, "E302", f"has {count} steps named {name!r}", "Keys and logs go by the name: make it unique."
            )
    for name in saga.plan.names:
        if not _NAME.fullmatch(name):
            yield _error(saga, "E310", f"has a step named {name!r}", "Use up to 60 lower-case letters, digits and _.")


def _undo(saga: Saga, leaf: Leaf) -> Iterator[Error]:
    local_pivot = leaf.kind is StepKind.PIVOT and leaf.mode is Mode.LOCAL
    certain = leaf.is_undone or leaf.no_undo or local_pivot
    if leaf.kind is not StepKind.RETRIABLE and not certain:
        hint = "Give it an `undo`, or say in `no_undo` why none is needed."
        yield _error(saga, "E301", f"cannot undo its step {leaf.name!r}", hint)
    if isinstance(leaf, ChildSaga) and any(passes_pivot(one) for one in leaf.saga().plan.leaves):
        hint = "A child may be undone until its parent ends: put what cannot be undone into the parent."
        yield _error(saga, "E311", f"has a child {leaf.name!r} that could not be undone", hint)


def _answer(saga: Saga, leaf: Leaf) -> Iterator[Error]:
    if isinstance(leaf, SagaCommand):
        given = [leaf.recall is not None, leaf.recalled is not None, leaf.recalled_key is not None]
        if any(given) and not all(given):
            hint = "`recall`, `recalled` and `recalled_key` belong together: an undo counts once it is confirmed."
            yield _error(saga, "E312", f"would wait for ever for the recall of {leaf.name!r}", hint)
    if isinstance(leaf, SagaStep) and (leaf.query is None) is not (leaf.settle_after is None):
        hint = "`query` and `settle_after` belong together: only after that time does finding nothing mean anything."
        yield _error(saga, "E313", f"cannot find out about its step {leaf.name!r}", hint)


_RANK = {StepKind.COMPENSATABLE: 0, StepKind.PIVOT: 1, StepKind.RETRIABLE: 2}


def _order(saga: Saga) -> Iterator[Error]:
    kinds = [leaf.kind for leaf in saga.plan.leaves if leaf.kind is not None]
    if kinds.count(StepKind.PIVOT) > 1:
        yield _error(saga, "E303", "has more than one pivot", "There is one point of no return.")
    ranks = [_RANK[kind] for kind in kinds]
    if ranks != sorted(ranks):
        hint = (
            "The order is compensatable, pivot, retriable: behind the pivot nothing can be undone, before it all can."
        )
        yield _error(saga, "E304", "mixes the kinds of its steps", hint)


def _group(saga: Saga, group: Group) -> Iterator[Error]:
    inside = [leaf for leaf in saga.plan.leaves if saga.plan.is_within(leaf.name, group.name)]
    kinds = {leaf.kind for leaf in inside if leaf.kind is not None}
    if StepKind.PIVOT in kinds:
        hint = "Whether there is a way back may not depend on which branch is faster: put the pivot behind the group."
        yield _error(saga, "E306", f"has its pivot within {group.name!r}", hint)
    elif len(kinds) > 1:
        hint = "All branches lie before the pivot, or all behind it."
        yield _error(saga, "E307", f"has steps of both sides of the pivot within {group.name!r}", hint)
    if isinstance(group, Each) and any(isinstance(leaf, WaitFor) for leaf in inside):
        hint = "An event names a saga by its business key, not an item: make the steps of the item a child saga."
        yield _error(saga, "E314", f"waits for an event within the loop {group.name!r}", hint)
    if isinstance(group, Each) and any(isinstance(one, Each) and one is not group for one in _inner(saga, group)):
        yield _error(saga, "E308", f"has a loop within the loop {group.name!r}", "Make the inner one a child saga.")


def _waits(saga: Saga) -> Iterator[Warning]:
    """Waits that the deadline cuts short. Once a step may have begun that only goes forward, it bounds nothing."""
    limit = saga.deadline
    first = next((leaf for leaf in saga.plan.leaves if passes_pivot(leaf)), None)
    for leaf in takewhile(lambda one: one is not first, saga.plan.leaves):
        length = _length(leaf)
        if limit is None or length is None or length < limit or (first is not None and _share(saga, leaf, first)):
            continue
        fault = f"waits for {length} at {leaf.name!r}, but turns back at its deadline, after {limit}"
        hint = "Give it a longer `deadline`, or `deadline = None`; behind the pivot it bounds nothing."
        yield Warning(f"The saga {saga.name!r} {fault}.", hint=hint, obj=type(saga), id="bandstand.W315")


def _length(leaf: Leaf) -> timedelta | None:
    """How long a wait may last by its own words."""
    if isinstance(leaf, Timer):
        return leaf.until if isinstance(leaf.until, timedelta) else None
    return leaf.timeout if isinstance(leaf, Approval | WaitFor) else None


def _share(saga: Saga, one: Leaf, other: Leaf) -> bool:
    """Whether both lie within some group."""
    plan = saga.plan
    return any(all(plan.is_within(leaf.name, group.name) for leaf in (one, other)) for group in plan.groups())


def _inner(saga: Saga, group: Group) -> Iterator[Group]:
    return (one for one in saga.plan.groups() if saga.plan.is_within(one.name, group.name))


def _error(saga: Saga, number: str, fault: str, hint: str) -> Error:
    return Error(f"The saga {saga.name!r} {fault}.", hint=hint, obj=type(saga), id=f"bandstand.{number}")
