"""What several processes of a service must not do at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from django.db import connection

from bandstand import clock

__all__ = ["one_at_a_time"]

_LOOK_SECONDS = 0.1


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Hold the turn for *what* among all processes that share the database; the others wait, however long.

    The turn ends with the process. On SQLite, whose service is one process, nobody is waited for.
    """
    if connection.vendor != "postgresql":
        yield
        return
    key = crc32(what.encode())
    # Not pg_advisory_lock: the server's statement_timeout would end the wait.
    while not _said(f"SELECT pg_try_advisory_lock({key})"):
        clock.sleep(_LOOK_SECONDS)
    try:
        yield
    finally:
        _said(f"SELECT pg_advisory_unlock({key})")


def _said(sql: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        (answer,) = cursor.fetchone()
    return bool(answer)
