"""A saga as a step of another: begun with it, held open by it, ended with it."""

from uuid import UUID

from bandstand.sagas.encoding import decode
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.protocol import SagaStatus, State
from bandstand.sagas.runs import Run
from bandstand.sagas.signals import SignalName, send
from bandstand.sagas.steps import ChildSaga, StepCall, StepRefused

__all__ = ["release", "start", "tell_parent", "undo"]


def start(run: Run, leaf: ChildSaga, unit: str, made: StepCall) -> None:
    """Begin the child, in the transaction of its parent's log; a repeat finds it begun. Raises StepRefused."""
    from bandstand.sagas.starting import start_child  # noqa: PLC0415 - as a saga is started by a call of one

    if _child(run.id, unit) is None and start_child(leaf.saga, leaf.begin(made), run.id, unit) is None:
        raise StepRefused("child_exists", f"a {leaf.saga.name} has run for the same business key")


def undo(parent_id: UUID, unit: str) -> None:
    """Have a child undone; it tells its parent when it is. One that has ended already has told."""
    child = _child(parent_id, unit)
    if child is None or child.lease_until is None:
        send(parent_id, SignalName.CHILD_ENDED, step=unit, payload=_told(SagaStatus.CANCELLED, "", {}))
    else:
        send(child.pk, SignalName.COMPENSATE, note="parent")


def release(parent_id: UUID) -> None:
    """Let all children end that live on when a saga has ended."""
    for child in SagaExecution.objects.filter(parent_id=parent_id, lease_until__isnull=False):
        send(child.pk, SignalName.PARENT_ENDED)


def tell_parent(run: Run, state: State, context: str) -> None:
    """Say that a child has done its last step, or has ended undone."""
    if run.parent_id is None or state.status is SagaStatus.COMPLETED:
        return
    name = SignalName.CHILD_ENDED if state.status.is_final else SignalName.CHILD_READY
    status = state.status if state.status.is_final else SagaStatus.COMPLETED
    send(run.parent_id, name, step=run.parent_step, payload=_told(status, state.reason, decode(context)))


def _child(parent_id: UUID, unit: str) -> SagaExecution | None:
    return SagaExecution.objects.filter(parent_id=parent_id, parent_step=unit).first()


def _told(status: SagaStatus, reason: str, context: object) -> dict[str, object]:
    return {"status": status.value, "reason": reason, "context": context}
