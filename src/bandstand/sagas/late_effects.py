"""Taking back what arrived at a participant after its saga had ended: itself a saga, so it is not forgotten."""

from dataclasses import dataclass, replace
from uuid import UUID

from bandstand.sagas.calls import call_of
from bandstand.sagas.definition import Saga
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.registry import sagas
from bandstand.sagas.runs import run_of
from bandstand.sagas.steps import SagaStep, StepCall, StepKind

__all__ = ["LateEffect", "UndoLateEffect"]


@dataclass(frozen=True, kw_only=True)
class LateEffect:
    """The step of an ended saga whose effect came late."""

    saga_id: UUID
    unit: str


def undo(call: StepCall) -> None:
    """Call the undo of the step, under a key of its own. Raises LookupError when this release knows no such undo."""
    late: LateEffect = call.context
    row = SagaExecution.objects.get(pk=late.saga_id)
    saga = sagas.get(row.type, row.version) or sagas.get(row.type)
    leaf = saga.plan.leaf(late.unit) if saga is not None else None
    if saga is None or leaf is None or leaf.undo is None:
        raise LookupError(f"{row.type} version {row.version} has no undo of {late.unit!r} in this release")
    run = run_of(row, saga)
    made = call_of(run, late.unit, call.attempt, run.context)
    leaf.undo(replace(made, key=f"{made.effect_key}:late"))


class UndoLateEffect(Saga):
    """One for each late effect that reconciliation has found."""

    name = "bandstand_late_effect"
    context = LateEffect
    deadline = None
    steps = [SagaStep("undo_late", kind=StepKind.RETRIABLE, do=undo)]

    def begin(self, event: LateEffect) -> tuple[str, LateEffect]:
        """Name it after the key of the effect."""
        return f"{event.saga_id}:{event.unit}:late", event
