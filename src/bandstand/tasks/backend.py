"""The TASKS backend: a task is a row of the transaction that enqueues it; the loop `tasks` runs it after the commit."""

import json
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction

from bandstand import clock, context
from bandstand.config import section
from bandstand.errors import InternalError
from bandstand.events import wakeups
from bandstand.tasks import store
from bandstand.tasks.api import (
    BaseTaskBackend,
    Task,
    TaskResult,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
)
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.policy import unique_key
from bandstand.tasks.store import NewTask

__all__ = ["DurableBackend", "TaskTooLarge"]


class TaskTooLarge(InternalError):
    """The arguments are over `max_task_bytes`: tasks carry identifiers, not documents."""


class DurableBackend(BaseTaskBackend):
    """Enqueueing is one INSERT: into the open transaction, or by itself where none is open."""

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    carrier: ClassVar[str] = "tasks"
    """The loop that takes the rows up."""

    def enqueue(self, task: "Task[..., Any]", args: Any, kwargs: Any) -> "TaskResult[Any]":
        """Write the task; one that is deduplicated yields the result of the unfinished one that is there already.

        Raises TaskTooLarge.
        """
        self.validate_task(task)
        result = self._result(task, args, kwargs)
        config = section(TasksConfig)
        known = store.insert(self._row(result, config), using=config.database)
        if known is not None:
            return self.get_result(str(known))
        transaction.on_commit(partial(wakeups.wake, self.carrier), using=config.database)
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> "TaskResult[Any]":
        """What is known about a task. Raises TaskResultDoesNotExist, also once it was forgotten."""
        from bandstand.tasks import results  # noqa: PLC0415 - tasks are declared before models exist

        try:
            found = results.stored(UUID(result_id), using=section(TasksConfig).database)
        except ValueError:
            found = None
        if found is None:
            raise TaskResultDoesNotExist(result_id)
        return found

    def _result(self, task: "Task[..., Any]", args: Any, kwargs: Any) -> "TaskResult[Any]":
        return TaskResult(
            task=task,
            id=str(clock.uuid7()),
            status=TaskResultStatus.READY,
            enqueued_at=clock.now(),
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )

    def _row(self, result: "TaskResult[Any]", config: TasksConfig) -> NewTask:
        task, work = result.task, context.current()
        arguments = json.dumps({"args": result.args, "kwargs": result.kwargs}, separators=(",", ":"))
        if len(arguments) > config.max_task_bytes:
            raise TaskTooLarge(f"{task.module_path} has {len(arguments)} bytes; {config.max_task_bytes} are allowed")
        return NewTask(
            id=UUID(result.id),
            task=task.module_path,
            backend=self.alias,
            carrier=self.carrier,
            queue=task.queue_name,
            priority=task.priority,
            arguments=arguments,
            correlation_id=work.correlation_id,
            traceparent=work.traceparent,
            unique_key=unique_key(task.module_path, task.func, result.args, result.kwargs),
            run_after=task.run_after,
            enqueued_at=result.enqueued_at or clock.now(),
        )
