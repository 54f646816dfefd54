"""What a person does about tasks: look, retry, discard."""

from collections.abc import Collection, Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import F

from bandstand import clock
from bandstand.config import section
from bandstand.errors import Conflict, NotFound
from bandstand.events import wakeups
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.models import TaskRow

__all__ = ["discard", "listed", "retry", "show"]

State = TaskRow.State
_RETRIABLE = (State.FAILED, State.DISCARDED, State.WAITING)
_DISCARDABLE = (State.FAILED, State.WAITING, State.READY)


def listed(*, states: Collection[str] = (State.FAILED,), task: str | None = None, limit: int = 100) -> list[TaskRow]:
    """Tasks in these states, of one function or all, oldest first."""
    found = TaskRow.objects.using(_using()).filter(state__in=states)
    if task:
        found = found.filter(task=task)
    return list(found.order_by("id")[:limit])


def show(task_id: UUID) -> TaskRow:
    """One task. Raises NotFound."""
    try:
        return TaskRow.objects.using(_using()).get(pk=task_id)
    except TaskRow.DoesNotExist:
        raise NotFound(f"there is no task {task_id}", task=str(task_id)) from None


def retry(task_ids: Iterable[UUID]) -> int:
    """Make failed, discarded and waiting tasks ready, with all their attempts; return how many.

    Raises NotFound, and Conflict for a task that is running or has succeeded: then none is changed.
    """
    number = _move(task_ids, _RETRIABLE, state=State.READY, next_at=None, attempts=0, workers="", finished_at=None)
    for carrier in ("tasks", "celery"):
        wakeups.wake(carrier)
    return number


def discard(task_ids: Iterable[UUID]) -> int:
    """Give up tasks that failed or have not begun; return how many. Raises as `retry` does."""
    now = clock.database_now(_using())
    return _move(task_ids, _DISCARDABLE, state=State.DISCARDED, next_at=None, finished_at=now, unique_key=None)


def _using() -> str:
    return section(TasksConfig).database


def _move(task_ids: Iterable[UUID], allowed: Collection[str], **values: object) -> int:
    using, number = _using(), 0
    with transaction.atomic(using=using):
        for task_id in task_ids:
            rows = TaskRow.objects.using(using).filter(pk=task_id, state__in=allowed)
            if not rows.update(fence=F("fence") + 1, **values):
                raise Conflict(f"the task {task_id} is {show(task_id).state}", conflict="task_state")
            number += 1
    return number
