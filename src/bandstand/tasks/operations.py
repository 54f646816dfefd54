"""What a person does about tasks: look, retry, discard. Deeds stand in the audit trail of events."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F

from bandstand import clock
from bandstand.config import section
from bandstand.errors import Conflict, NotFound
from bandstand.events import actions, wakeups
from bandstand.events.models import EventAction
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.models import TaskRow

__all__ = ["discard", "discard_all", "listed", "retry", "retry_all", "show"]

State = TaskRow.State
_RETRIABLE = (State.FAILED, State.DISCARDED, State.WAITING)
_DISCARDABLE = (State.FAILED, State.WAITING, State.READY)
_AFRESH = {"state": State.READY, "next_at": None, "attempts": 0, "workers": "", "finished_at": None}
_AT_ONCE = 500


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


def retry(task_ids: Iterable[UUID], *, by: str = "", note: str = "") -> int:
    """Make failed, discarded and waiting tasks ready, with all their attempts; return how many.

    Raises NotFound, and Conflict for a task that is running or has succeeded: then none is changed.
    """
    number = _move(task_ids, _RETRIABLE, _Deed(EventAction.Kind.RETRY, by, note), **_AFRESH)
    _wake_workers()
    return number


def retry_all(*, task: str | None = None, by: str = "", note: str = "") -> int:
    """Make every failed task ready, of one function or all, in transactions of bounded size; return how many.

    Those that fail again meanwhile are not taken a second time, those that somebody else deals with not at all.
    """
    number = _move_all(task, _Deed(EventAction.Kind.RETRY, by, note), **_AFRESH)
    _wake_workers()
    return number


def discard(task_ids: Iterable[UUID], *, by: str = "", note: str = "") -> int:
    """Give up tasks that failed or have not begun; return how many. Raises as `retry` does."""
    return _move(task_ids, _DISCARDABLE, _Deed(EventAction.Kind.DISCARD, by, note), **_given_up())


def discard_all(*, task: str | None = None, by: str = "", note: str = "") -> int:
    """Give up every failed task, of one function or all, as `retry_all` does; return how many."""
    return _move_all(task, _Deed(EventAction.Kind.DISCARD, by, note), **_given_up())


@dataclass(frozen=True, slots=True)
class _Deed:
    """What is done, by whom, why."""

    action: EventAction.Kind
    by: str
    note: str

    def record(self, tasks: Iterable[tuple[UUID, str]]) -> None:
        """Write down that it is done to tasks, given as id and function."""
        entries = (EventAction(action=self.action, event_id=task_id, type=task) for task_id, task in tasks)
        actions.record(entries, by=self.by, note=self.note)


def _using() -> str:
    return section(TasksConfig).database


def _given_up() -> dict[str, object]:
    now = clock.database_now(_using())
    return {"state": State.DISCARDED, "next_at": None, "finished_at": now, "unique_key": None}


def _wake_workers() -> None:
    for carrier in ("tasks", "celery"):
        wakeups.wake(carrier)


def _move_all(task: str | None, deed: _Deed, **values: object) -> int:
    using, until, number = _using(), clock.database_now(_using()), 0
    failed = TaskRow.objects.using(using).filter(state=State.FAILED, finished_at__lte=until)
    if task:
        failed = failed.filter(task=task)
    while True:
        with transaction.atomic(using=using):
            chosen = failed.order_by("id").select_for_update(skip_locked=True).values_list("pk", "task")[:_AT_ONCE]
            tasks = list(chosen)
            ids = [task_id for task_id, _ in tasks]
            TaskRow.objects.using(using).filter(pk__in=ids).update(fence=F("fence") + 1, **values)
            deed.record(tasks)
        number += len(ids)
        if len(ids) < _AT_ONCE:
            return number


def _move(task_ids: Iterable[UUID], allowed: Collection[str], deed: _Deed, **values: object) -> int:
    using, ids = _using(), sorted(set(task_ids))
    with transaction.atomic(using=using):
        for task_id in ids:  # one order for everybody, else two at once could block each other
            rows = TaskRow.objects.using(using).filter(pk=task_id, state__in=allowed)
            if not rows.update(fence=F("fence") + 1, **values):
                raise Conflict(f"the task {task_id} is {show(task_id).state}", conflict="task_state")
        deed.record(TaskRow.objects.using(using).filter(pk__in=ids).order_by("id").values_list("pk", "task"))
    return len(ids)
