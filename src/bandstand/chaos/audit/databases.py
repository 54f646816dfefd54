"""Read-only access to a service's audit views, in SQLite and in PostgreSQL, without Django."""

import dataclasses
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, unquote, urlsplit

from bandstand.chaos.audit.facts import Row

__all__ = ["Database", "DatabaseUnreadable", "opened"]

R = TypeVar("R", bound=Row)


class DatabaseUnreadable(Exception):
    """The database cannot be opened or read."""


class _Cursor(Protocol):
    def execute(self, query: Any, parameters: Sequence[Any] = ..., /) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Database:
    """One snapshot of one database: all that is read belongs to the same moment."""

    def __init__(self, cursor: _Cursor, views: frozenset[str]) -> None:
        self._cursor, self._views = cursor, views

    def has(self, view: str) -> bool:
        """Whether the view exists."""
        return view in self._views

    def rows(self, kind: type[R]) -> list[R]:
        """Every row of the view of *kind*."""
        names = [field.name for field in dataclasses.fields(kind)]
        columns = ", ".join(f'"{name}"' for name in names)
        self._cursor.execute(f"SELECT {columns} FROM {kind.view}")  # noqa: S608 - names of our own classes
        return [kind(**dict(zip(names, values, strict=True))) for values in self._cursor.fetchall()]

    def count(self, view: str, condition: str) -> int:
        """How many rows of *view* meet *condition*, a piece of SQL of ours."""
        self._cursor.execute(f"SELECT count(*) FROM {view} WHERE {condition}")  # noqa: S608 - as above
        return int(self._cursor.fetchall()[0][0])


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open the database at *url* for reading, in one snapshot. Raises DatabaseUnreadable."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        with _sqlite(Path(unquote(parts.path[1:]))) as database:
            yield database
    elif parts.scheme in {"postgres", "postgresql"}:
        with _postgresql(url) as database:
            yield database
    else:
        raise DatabaseUnreadable(f"no database that can be audited: {parts.scheme}://")


@contextmanager
def _sqlite(path: Path) -> Iterator[Database]:
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=20)
        with closing(connection):
            cursor = connection.execute("BEGIN")
            found = cursor.execute("SELECT name FROM sqlite_master WHERE type IN ('view', 'table')").fetchall()
            yield Database(cursor, frozenset(name for (name,) in found))
    except sqlite3.Error as error:
        raise DatabaseUnreadable(f"{path}: {error}") from error


@contextmanager
def _postgresql(url: str) -> Iterator[Database]:
    import psycopg  # noqa: PLC0415 - the driver comes with the extra `postgres`

    from bandstand.database.urls import connection_parameters  # noqa: PLC0415 - brings Django, which few audits need

    try:
        with (
            psycopg.connect(**connection_parameters(url), autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = ANY (current_schemas(false))")
            yield Database(cursor, frozenset(name for (name,) in cursor.fetchall()))
    except psycopg.Error as error:
        raise DatabaseUnreadable(f"{urlsplit(url).path}: {error}") from error
