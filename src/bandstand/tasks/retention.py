"""Forgetting tasks that have ended, a batch at a time."""

from datetime import timedelta

from bandstand import clock
from bandstand.events._sql import Sql
from bandstand.tasks.config import TasksConfig

__all__ = ["purge"]

_AT_ONCE = 1_000
_PURGE = """
    DELETE FROM bandstand_tasks_task WHERE id IN (
           SELECT id FROM bandstand_tasks_task WHERE state = %s AND finished_at < %s LIMIT %s)"""


def purge(config: TasksConfig) -> int:
    """Forget successful and discarded tasks older than their retention; return how many of at most a batch of each."""
    gone = _purge("successful", config.result_retention, config)
    return max(gone, _purge("discarded", config.discarded_retention, config))


def _purge(state: str, older_than: timedelta, config: TasksConfig) -> int:
    sql = Sql(config.database)
    before = sql.time(clock.database_now(config.database) - older_than)
    if not sql.rows(
        "SELECT 1 FROM bandstand_tasks_task WHERE state = %s AND finished_at < %s LIMIT 1", (state, before)
    ):
        return 0
    return sql.change(_PURGE, (state, before, _AT_ONCE))
