"""The loop that hands committed tasks to Celery's broker, and again those whose message was not heard of."""

import logging
import threading
from datetime import timedelta

from django.db import DatabaseError
from kombu.exceptions import OperationalError

from bandstand import context
from bandstand.config import section
from bandstand.events import wakeups
from bandstand.lifecycle import Loop
from bandstand.lifecycle.crashpoints import crash_point, register_crash_points
from bandstand.resilience.retry import RetryPolicy
from bandstand.tasks import store
from bandstand.tasks.api import task_backends
from bandstand.tasks.celery.backend import CeleryBackend
from bandstand.tasks.celery.running import RUN
from bandstand.tasks.celery.settings import app_of, queue_of
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.execution import context_of
from bandstand.tasks.store import Claim

__all__ = ["HandoverLoop"]

log = logging.getLogger(__name__)

register_crash_points(["tasks.after_send"])

_OUTAGE = RetryPolicy(base=timedelta(milliseconds=200), cap=timedelta(seconds=5))


class HandoverLoop(Loop):
    """Any number of processes may run it: each row is handed over under a fence, and an older message is ignored."""

    name = CeleryBackend.carrier

    def __init__(self) -> None:
        self._config = section(TasksConfig)
        self._waiter = wakeups.waiter(self.name)
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Hand over until *stop*; a broker or database that is down is asked again with growing pauses."""
        try:
            while not stop.is_set():
                with self.iteration():
                    pause = self._turn(stop)
                if pause:
                    self._waiter.wait(pause)
        finally:
            self._waiter.close()

    def wake(self) -> None:
        """End a wait."""
        self._waiter.wake()

    def _turn(self, stop: threading.Event) -> timedelta:
        config = self._config
        try:
            store.wake(using=config.database)
            claims = store.send(self.name, limit=config.batch, lease=config.broker_patience, using=config.database)
            self._hand_over(claims)
        except (DatabaseError, OSError) as error:
            self._failures += 1
            log.warning("tasks.handover_interrupted", extra={"error": str(error), "failures": self._failures})
            stop.wait(_OUTAGE.backoff(self._failures).total_seconds())
            return timedelta(0)
        self._failures = 0
        return timedelta(0) if claims else config.safety_poll

    def _hand_over(self, claims: list[Claim]) -> None:
        """Send each and wait for the broker's word; give back the rest when it is out of reach. Raises OSError."""
        for at, claim in enumerate(claims):
            self.beat()
            try:
                _send(claim)
            except OSError:
                store.release(claims[at:], attempts=0, using=self._config.database)
                raise
            except Exception:  # of this task or its queue only: it is handed over again after the broker's patience
                log.exception("task.not_handed_over", extra={"task": claim.task, "task_id": str(claim.id)})
            crash_point("tasks.after_send")


def _send(claim: Claim) -> None:
    app = app_of(task_backends[claim.backend])
    with context.bound(context_of(claim)):
        try:
            app.send_task(
                RUN,
                args=[str(claim.id), claim.fence],
                task_id=str(claim.id),
                queue=queue_of(claim.queue),
                shadow=claim.task,
                retry=False,
                ignore_result=not app.conf.result_backend,
            )
        except (OperationalError, *app.connection_for_write().connection_errors) as error:
            raise ConnectionError(str(error)) from error
