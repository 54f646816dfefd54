"""Statements written once, for the few that every request of a hot path runs.

The ORM composes its SQL anew for each call, which takes several times as long as SQLite needs to run it. Here the text
is composed once; rows come and go as instances of their model, as with the ORM, but without its signals and defaults.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Col

__all__ = ["Statement", "insert", "insert_absent", "update"]

M = TypeVar("M", bound=models.Model)

_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


class _Composed(NamedTuple):
    text: str
    names: list[str]
    converters: list[tuple[int, Callable[[Any], Any]]]


class Statement(Generic[M]):
    """One SQL statement on the table of a model: `SELECT {columns} FROM {table} WHERE key = %s {lock}`.

    `{columns}` are all columns, so that rows can be read; `{lock}` is FOR UPDATE where the database locks rows. Ids
    and moments may be given as parameters whatever the database.
    """

    def __init__(self, model: type[M], text: str) -> None:
        self._model = model
        self._text = text
        self._composed: dict[str, _Composed] = {}

    def all(self, *parameters: Any, using: str = DEFAULT_DB_ALIAS) -> list[M]:
        """The rows that the statement returns."""
        connection = connections[using]
        text, names, converters = self._for(connection)
        with connection.cursor() as cursor:
            cursor.execute(text, _adapted(parameters, connection))
            rows = [list(row) for row in cursor.fetchall()]
        for row in rows:
            for at, convert in converters:
                row[at] = convert(row[at])
        return [self._model.from_db(using, names, row) for row in rows]

    def first(self, *parameters: Any, using: str = DEFAULT_DB_ALIAS) -> M | None:
        """The first row that the statement returns, or None."""
        rows = self.all(*parameters, using=using)
        return rows[0] if rows else None

    def run(self, *parameters: Any, using: str = DEFAULT_DB_ALIAS) -> int:
        """Run a statement that returns no rows and say how many it touched."""
        connection = connections[using]
        with connection.cursor() as cursor:
            cursor.execute(self._for(connection).text, _adapted(parameters, connection))
            return int(cursor.rowcount)

    def _for(self, connection: BaseDatabaseWrapper) -> _Composed:
        found = self._composed.get(connection.alias)
        if found is None:
            found = self._composed[connection.alias] = self._compose(connection)
        return found

    def _compose(self, connection: BaseDatabaseWrapper) -> _Composed:
        table = self._model._meta  # noqa: SLF001 - Django documents it
        columns = [field.get_col(table.db_table) for field in table.concrete_fields]
        text = self._text.format(
            table=table.db_table,
            columns=", ".join(str(field.column) for field in table.concrete_fields),
            lock="FOR UPDATE" if connection.features.has_select_for_update else "",
        )
        found = [
            (at, _converter(functions, column, connection))
            for at, column in enumerate(columns)
            if (functions := [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)])
        ]
        return _Composed(text, [field.attname for field in table.concrete_fields], found)


def insert(rows: Sequence[models.Model], *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Insert *rows*, all of one model, in one statement; keys that the database makes are not read back."""
    _insert(rows, "", using)


def insert_absent(row: models.Model, *, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Insert *row* unless a unique value of it is taken, and say whether it was; waits for whoever inserts it now.

    The ORM's `ignore_conflicts` does not tell which of the two happened.
    """
    return bool(_insert([row], " ON CONFLICT DO NOTHING", using))


def update(row: models.Model, fields: Sequence[str], *, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Write *fields* of a row that exists, as `save(update_fields=...)`; False when it is there no more."""
    connection, table = connections[using], row._meta  # noqa: SLF001 - Django documents it
    written: list[Any] = [table.get_field(name) for name in fields]
    assignments = ", ".join(f"{field.column} = %s" for field in written)
    values = [_stored(field, _plain(field), row, connection) for field in (*written, table.pk)]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table.db_table} SET {assignments} WHERE {table.pk.column} = %s", values)  # noqa: S608 - names only
        return bool(cursor.rowcount)


def _insert(rows: Sequence[models.Model], otherwise: str, using: str) -> int:
    if not rows:
        return 0
    connection = connections[using]
    into, places, fields = _insertion(type(rows[0]))
    values = [_stored(field, plain, row, connection) for row in rows for field, plain in fields]
    with connection.cursor() as cursor:
        cursor.execute(f"{into}{', '.join([places] * len(rows))}{otherwise}", values)
        touched = int(cursor.rowcount)
    for row in rows:
        row._state.adding, row._state.db = False, using  # noqa: SLF001 - as `save` leaves it
    return touched


@cache
def _insertion(model: type[models.Model]) -> tuple[str, str, list[tuple[Any, frozenset[type]]]]:
    """How an INSERT begins, the place of one row in it, and what is written there."""
    table = model._meta  # noqa: SLF001
    fields = [field for field in table.concrete_fields if not isinstance(field, models.AutoField)]
    columns = ", ".join(str(field.column) for field in fields)
    places = f"({', '.join(['%s'] * len(fields))})"
    into = f"INSERT INTO {table.db_table} ({columns}) VALUES "  # noqa: S608 - names only
    return into, places, [(field, _plain(field)) for field in fields]


_PLAIN: list[tuple[type[Any], frozenset[type]]] = [
    (models.CharField, frozenset({str, type(None)})),
    (models.TextField, frozenset({str, type(None)})),
    (models.IntegerField, frozenset({int, type(None)})),
    (models.BooleanField, frozenset({bool, type(None)})),
    (models.UUIDField, frozenset({UUID, type(None)})),
    (models.DateTimeField, frozenset({datetime, type(None)})),
]


def _plain(field: Any) -> frozenset[type]:
    """The types of value that need no preparation by *field*; a field that is not Django's own prepares all."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if not type(field).__module__.startswith("django.db.models."):
        return frozenset()
    return next((types for kind, types in _PLAIN if isinstance(field, kind)), frozenset())


def _stored(field: Any, plain: frozenset[type], row: models.Model, connection: BaseDatabaseWrapper) -> Any:
    value = getattr(row, field.attname)
    if type(value) not in plain:
        return field.get_db_prep_save(value, connection)
    return value if type(value) in _AS_THEY_ARE else _parameter(value, connection)


def _adapted(parameters: Sequence[Any], connection: BaseDatabaseWrapper) -> list[Any]:
    return [value if type(value) in _AS_THEY_ARE else _parameter(value, connection) for value in parameters]


def _parameter(value: Any, connection: BaseDatabaseWrapper) -> Any:
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def _converter(
    functions: list[Callable[..., Any]], column: Col, connection: BaseDatabaseWrapper
) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        for function in functions:
            value = function(value, column, connection)
        return value

    return convert
