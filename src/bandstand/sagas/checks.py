"""System checks of declared sagas: bandstand.E301 to E305."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register

from bandstand.sagas.definition import Saga, StepKind
from bandstand.sagas.registry import sagas

__all__ = ["check_saga", "check_sagas"]


@register("sagas")
def check_sagas(**_: Any) -> list[CheckMessage]:
    """Find sagas that could not be undone or carried to their end."""
    return [fault for saga in sagas for fault in check_saga(saga)]


def check_saga(saga: Saga) -> Iterator[Error]:
    """The faults of one saga."""
    if not saga.steps:
        yield _error(saga, "E305", "has no steps", "Give it a list of SagaStep.")
        return
    for name, count in Counter(step.name for step in saga.steps).items():
        if count > 1:
            yield _error(
                saga, "E302", f"has {count} steps named {name!r}", "Keys and logs go by the name: make it unique."
            )
    yield from _order(saga)
    for step in saga.steps:
        certain = step.undo is not None or step.no_undo or (step.kind is StepKind.PIVOT and step.local)
        if step.kind is not StepKind.RETRIABLE and not certain:
            hint = "Give it an `undo`, or say in `no_undo` why none is needed."
            yield _error(saga, "E301", f"cannot undo its step {step.name!r}", hint)


def _order(saga: Saga) -> Iterator[Error]:
    kinds = [step.kind for step in saga.steps]
    if kinds.count(StepKind.PIVOT) > 1:
        yield _error(saga, "E303", "has more than one pivot", "There is one point of no return.")
    rank = {StepKind.COMPENSATABLE: 0, StepKind.PIVOT: 1, StepKind.RETRIABLE: 2}
    ranks = [rank[kind] for kind in kinds]
    if ranks != sorted(ranks):
        hint = (
            "The order is compensatable, pivot, retriable: behind the pivot nothing can be undone, before it all can."
        )
        yield _error(saga, "E304", "mixes the kinds of its steps", hint)


def _error(saga: Saga, number: str, fault: str, hint: str) -> Error:
    return Error(f"The saga {saga.name!r} {fault}.", hint=hint, obj=type(saga), id=f"bandstand.{number}")
