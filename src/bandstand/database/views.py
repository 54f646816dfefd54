"""Read-only SQL views that say the same on SQLite and on PostgreSQL, as a migration operation.

Ids are written lower-case with dashes, times as RFC 3339 in UTC: Django stores both differently in each engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.migrations.operations.base import Operation

__all__ = ["CreateView", "Dialect", "DropView"]


@dataclass(frozen=True)
class Dialect:
    """How one engine writes what the views have in common."""

    vendor: str

    def uuid(self, column: str) -> str:
        """An expression for a UUIDField as dashed text."""
        if self.vendor == "postgresql":
            return f"({column})::text"
        parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        return "(" + " || '-' || ".join(f"substr({column}, {start}, {length})" for start, length in parts) + ")"

    def time(self, column: str) -> str:
        """An expression for a DateTimeField as RFC 3339 text in UTC; NULL stays NULL."""
        if self.vendor == "postgresql":
            return f"""to_char(({column}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return f"(replace({column}, ' ', 'T') || 'Z')"


class CreateView(Operation):
    """Create the view *name* from `select(dialect)`, an SQL SELECT; reversing drops it."""

    reversible = True
    reduces_to_sql = True

    def __init__(self, name: str, select: Callable[[Dialect], str]) -> None:
        self.name = name
        self.select = select

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Views are no models: the state stays as it is."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:  # noqa: ARG002
        """Create the view."""
        query = self.select(Dialect(schema_editor.connection.vendor))
        schema_editor.execute(f"CREATE VIEW {self.name} AS {query}", params=None)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:  # noqa: ARG002
        """Drop it."""
        schema_editor.execute(f"DROP VIEW IF EXISTS {self.name}", params=None)

    def describe(self) -> str:
        """Say what the operation does, for `migrate --plan`."""
        return f"Create the view {self.name}"


class DropView(CreateView):
    """Drop the view *name*; reversing creates it from `select(dialect)`, as it was."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Drop it."""
        super().database_backwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create the view."""
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        """Say what the operation does, for `migrate --plan`."""
        return f"Drop the view {self.name}"
