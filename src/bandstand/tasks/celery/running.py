"""What Celery's worker does with a message: it takes the task's row, runs the function and writes down how it ended.

The message carries the id and the fence of the row, nothing else: arguments and results stay in the database. Each
message counts once, however often the broker delivers it; a worker that dies leaves the row's lease to run out.
"""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from celery import Celery
from celery.exceptions import Ignore
from django.db import DatabaseError, connections

from bandstand.config import section
from bandstand.lifecycle.crashpoints import crash_point
from bandstand.tasks import store
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.execution import execute, report
from bandstand.tasks.store import Claim
from bandstand.tasks.worker import worker_name

__all__ = ["RUN", "TaskFailed", "register"]

log = logging.getLogger(__name__)

RUN = "bandstand.run"


class TaskFailed(Exception):
    """The task was given up; reason and traceback stand in its row."""


def register(app: Celery) -> None:
    """Give the application the one task by which it runs ours."""
    app.task(_run, name=RUN, shared=False)


def _run(task_id: str, fence: int) -> Any:
    config = section(TasksConfig)
    claim = store.claim_sent(UUID(task_id), fence, worker_name(), lease=config.lease, using=config.database)
    if claim is None:
        log.info("task.message_outdated", extra={"task_id": task_id})
        raise Ignore
    crash_point("tasks.after_claim")
    with _kept(claim, config):
        ended = execute(claim)
    crash_point("tasks.after_run")
    if store.end([ended], using=config.database):
        log.warning("task.fenced", extra={"task": claim.task, "task_id": task_id})
        raise Ignore
    report(ended)
    if ended.result is not None:
        return json.loads(ended.result)
    if ended.is_last:
        raise TaskFailed(ended.reason)
    raise Ignore  # the row waits for its next attempt, and comes with another message


@contextmanager
def _kept(claim: Claim, config: TasksConfig) -> Iterator[None]:
    """Renew the lease while the function runs."""
    done = threading.Event()
    keeper = threading.Thread(target=_renew, args=(claim, config, done), name="bandstand-task-lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def _renew(claim: Claim, config: TasksConfig, done: threading.Event) -> None:
    try:
        while not done.wait(config.lease.total_seconds() / 3):
            try:
                store.renew([claim], lease=config.lease, using=config.database)
            except DatabaseError as error:  # tried again in time, unless the database is away for long
                log.warning("task.lease_not_renewed", extra={"task_id": str(claim.id), "error": str(error)})
                connections[config.database].close()
    finally:
        connections.close_all()
