"""How many database queries a piece of work made, and how long it waited for them.

One wrapper stays installed on each connection and adds to the tally of the current context: nothing is done per
request but making the tally.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from bandstand import clock

__all__ = ["QueryTally", "count_into", "install"]


class QueryTally:
    """Queries of one piece of work, over all connections and all threads that share its context."""

    __slots__ = ("query_count", "query_seconds")

    def __init__(self) -> None:
        self.query_count = 0
        self.query_seconds = 0.0


_tally: ContextVar[QueryTally | None] = ContextVar("bandstand_queries", default=None)


def install() -> None:
    """Count on every connection, those already open in this thread and those to come. Harmless when repeated."""
    connection_created.connect(_on_connection, dispatch_uid="bandstand.observability.queries")
    for connection in connections.all(initialized_only=True):
        _on_connection(connection=connection)


def count_into(tally: QueryTally) -> None:
    """Count the queries of the current context in *tally*, in place of an earlier one."""
    _tally.set(tally)


def _on_connection(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    # At the front: `connection.execute_wrapper(...)` pops the last one, which has to stay its own.
    if _counted not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _counted)


def _counted(execute: Callable[..., Any], sql: str, params: Any, many: bool, details: dict[str, Any]) -> Any:
    tally = _tally.get()
    if tally is None:
        return execute(sql, params, many, details)
    started = clock.monotonic()
    try:
        return execute(sql, params, many, details)
    finally:
        tally.query_count += 1
        tally.query_seconds += clock.monotonic() - started
