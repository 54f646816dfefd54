"""A task's row as Django's TaskResult."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.module_loading import import_string

from bandstand.tasks.api import InvalidTaskError, Task, TaskError, TaskResult, TaskResultStatus
from bandstand.tasks.models import TaskRow
from bandstand.tasks.store import Claim, Ended

__all__ = ["finish", "running", "stored", "task_at"]

_STATUS = {
    TaskRow.State.RUNNING: TaskResultStatus.RUNNING,
    TaskRow.State.SUCCESSFUL: TaskResultStatus.SUCCESSFUL,
    TaskRow.State.FAILED: TaskResultStatus.FAILED,
    TaskRow.State.DISCARDED: TaskResultStatus.FAILED,
}


def task_at(path: str) -> "Task[..., Any]":
    """The task declared at *path*. Raises InvalidTaskError when there is none."""
    try:
        found = import_string(path)
    except ImportError as error:
        raise InvalidTaskError(f"there is no task {path}") from error
    if not isinstance(found, Task):
        raise InvalidTaskError(f"{path} is no task")
    return found


def running(claim: Claim, task: "Task[..., Any]", *, now: datetime) -> "TaskResult[Any]":
    """The result of a task that is about to run: what its function sees as `context.task_result`."""
    arguments = json.loads(claim.arguments)
    return TaskResult(
        task=_as_enqueued(task, claim),
        id=str(claim.id),
        status=TaskResultStatus.RUNNING,
        enqueued_at=claim.enqueued_at,
        started_at=claim.started_at,
        finished_at=None,
        last_attempted_at=now,
        args=arguments["args"],
        kwargs=arguments["kwargs"],
        backend=claim.backend,
        errors=[],
        worker_ids=claim.workers.split(),
    )


def stored(task_id: UUID, *, using: str) -> "TaskResult[Any] | None":
    """What is known about a task; None when there is no such task, or it was forgotten."""
    row = TaskRow.objects.using(using).filter(pk=task_id).first()
    if row is None:
        return None
    arguments = json.loads(row.arguments)
    result: TaskResult[Any] = TaskResult(
        task=_as_enqueued(task_at(row.task), row),
        id=str(row.pk),
        status=_STATUS.get(TaskRow.State(row.state), TaskResultStatus.READY),
        enqueued_at=row.enqueued_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        last_attempted_at=row.attempted_at,
        args=arguments["args"],
        kwargs=arguments["kwargs"],
        backend=row.backend,
        errors=[TaskError(exception_class_path=row.error, traceback=row.traceback)] if row.error else [],
        worker_ids=row.workers.split(),
    )
    if row.result is not None:
        _set(result, _return_value=json.loads(row.result))
    return result


def finish(result: "TaskResult[Any]", ended: Ended, *, now: datetime) -> None:
    """Complete a frozen result, as Django's own backends do."""
    status = TaskResultStatus.SUCCESSFUL if ended.succeeded else TaskResultStatus.FAILED
    _set(result, status=status, finished_at=now)
    if ended.result is not None:
        _set(result, _return_value=json.loads(ended.result))
    else:
        result.errors.append(TaskError(exception_class_path=ended.error, traceback=ended.traceback))


def _set(result: "TaskResult[Any]", **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(result, name, value)


def _as_enqueued(task: "Task[..., Any]", row: Claim | TaskRow) -> "Task[..., Any]":
    known = (task.priority, task.queue_name, task.backend, task.run_after)
    if known == (row.priority, row.queue, row.backend, row.run_after):
        return task
    return task.using(priority=row.priority, queue_name=row.queue, backend=row.backend, run_after=row.run_after)
