"""The gauges of tasks: how many wait, for how long, and what needs a person."""

from datetime import datetime, timedelta

from bandstand import clock
from bandstand.events._sql import Sql, as_time
from bandstand.observability.metrics import gauge

__all__ = ["TaskGauges"]

_EVERY = timedelta(seconds=5)

_ready = gauge("tasks_ready", "Tasks that wait for a worker.", ("queue",), across_processes="livemax")
_waiting = gauge("tasks_waiting", "Tasks that wait for their moment or next attempt.", across_processes="livemax")
_oldest = gauge("tasks_oldest_age_seconds", "How long the oldest ready task waits.", across_processes="livemax")
_failed = gauge("tasks_failed", "Failed tasks nobody has dealt with.", across_processes="livemax")


class TaskGauges:
    """Measures the table every few seconds."""

    def __init__(self, *, using: str) -> None:
        self._using = using
        self._due = 0.0
        self._queues: set[str] = set()

    def measure(self) -> None:
        """Measure if it is time."""
        now = clock.monotonic()
        if now < self._due:
            return
        self._due = now + _EVERY.total_seconds()
        sql = Sql(self._using)
        ready = sql.rows(
            "SELECT queue, count(*), min(enqueued_at) FROM bandstand_tasks_task WHERE state = 'ready' GROUP BY queue"
        )
        for queue in self._queues | {row[0] for row in ready}:
            _ready.labels(queue).set(0)
        for queue, number, _ in ready:
            _ready.labels(queue).set(number)
        self._queues |= {row[0] for row in ready}
        ages = [clock.database_now(self._using) - _moment(oldest) for _, _, oldest in ready]
        _oldest.set(max([0.0, *(age.total_seconds() for age in ages)]))
        _waiting.set(self._count(sql, "next_at IS NOT NULL AND state = 'waiting'"))
        _failed.set(self._count(sql, "finished_at IS NOT NULL AND state = 'failed'"))

    def _count(self, sql: Sql, condition: str) -> int:
        ((number,),) = sql.rows(f"SELECT count(*) FROM bandstand_tasks_task WHERE {condition}")  # noqa: S608 - ours
        return int(number)


def _moment(value: object) -> datetime:
    """A moment from an aggregate, which SQLite returns as text."""
    return as_time(value if isinstance(value, datetime) else datetime.fromisoformat(str(value)))
