"""Django's PostgreSQL backend with its pool, made to outlive restarts of the server and forks of the process."""

import os
import select
from typing import Any

from django.db import connections
from django.db.backends.postgresql import base
from psycopg import Connection, Error
from psycopg_pool import ConnectionPool

__all__ = ["DatabaseWrapper"]


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection, borrowed from the pool of this process until `close_old_connections` gives it back.

    The pool's own check would ask the server each time; and it takes one broken connection after another out of the
    pool, with ever longer pauses, before it gives a new one.
    """

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Borrow a connection that is alive: one that broke is not alone, so all that lie in the pool are replaced."""
        connection = super().get_new_connection(conn_params)
        pool = self.pool
        if pool is None or _is_alive(connection):
            return connection
        connection.close()
        pool.drain()
        pool.putconn(connection)
        return super().get_new_connection(conn_params)


def _is_alive(connection: "Connection[Any]") -> bool:
    """Whether the server still holds its end. It says nothing unasked unless it leaves, so silence is a yes."""
    heard = select.poll()
    heard.register(connection.fileno(), select.POLLIN)
    if not heard.poll(0):
        return True
    try:
        ConnectionPool.check_connection(connection)
    except Error:
        return False
    return True


_of_parents: list[Any] = []  # kept, because a pool that is collected waits for its threads


def _start_afresh() -> None:
    """Forget in a forked child what is the parent's: its connections, and the pools that Django keeps on the class."""
    _of_parents.append(base.DatabaseWrapper._connection_pools)  # type: ignore[attr-defined]  # noqa: SLF001 - Django offers no other way to it
    base.DatabaseWrapper._connection_pools = {}  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    for connection in connections.all(initialized_only=True):
        if connection.vendor == "postgresql":
            _of_parents.append(connection)
            del connections[connection.alias]


os.register_at_fork(after_in_child=_start_afresh)
