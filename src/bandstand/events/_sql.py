"""What SQLite and PostgreSQL write differently in the raw statements of this package."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connections

__all__ = ["Sql", "as_time", "as_uuid", "marks"]


def marks(count: int, one: str = "%s") -> str:
    """A list of *count* placeholders."""
    return ", ".join([one] * count)


class Sql:
    """Statements on one database, with ids and times in its own types."""

    def __init__(self, using: str) -> None:
        self.using = using
        self._connection = connections[using]
        self._native = self._connection.features.has_native_uuid_field
        self.is_postgresql = self._connection.vendor == "postgresql"

    def uuid(self, value: UUID | str) -> UUID | str:
        """A UUID as a parameter."""
        found = value if isinstance(value, UUID) else UUID(value)
        return found if self._native else found.hex

    def time(self, value: datetime) -> Any:
        """A moment as a parameter."""
        return self._connection.ops.adapt_datetimefield_value(value)

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement that returns some."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    def change(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it touched."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)


def as_uuid(value: UUID | str) -> UUID:
    """A UUID from a column."""
    return value if isinstance(value, UUID) else UUID(value)


def as_time(value: datetime) -> datetime:
    """An aware moment from a column: SQLite's come back without their zone, which is UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)
