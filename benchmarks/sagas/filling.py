"""Tables full of sagas: copies of real ones, with their lines of log, made by the server.

All names come from the models, so that what is copied is what the engine has written, whatever its columns are.
"""

import time
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

import psycopg
from django.db.models import DateTimeField, Field, Model, QuerySet

_AT_ONCE = 100_000


def copy(database: str, saga: UUID | str, count: int, changes: Mapping[str, str] | None = None) -> None:
    """Make *count* copies of a saga on PostgreSQL; *changes* are expressions for columns of its row."""
    from bandstand.sagas import SagaExecution

    salt = time.time_ns()
    # Like those of the engine, the keys grow with time.
    copied = (
        f"(lpad(to_hex({salt // 1_000_000} - {count} + n), 12, '0') || '7' || substr(md5('{salt}' || n), 1, 19))::uuid"
    )
    own = {SagaExecution._meta.pk.column: copied, "business_key": f"'copy-{salt}-' || n", **(changes or {})}
    tables = [(SagaExecution, SagaExecution._meta.pk.column, own)]
    tables += [(model, "saga_id", _keys(model) | {"saga_id": copied}) for model in _companions()]
    with psycopg.connect(database, autocommit=True) as connection:
        for beginning in range(0, count, _AT_ONCE):
            numbers = f"generate_series({beginning + 1}, {min(beginning + _AT_ONCE, count)}) n"
            for model, column, expressions in tables:
                connection.execute(_statement(model, column, expressions, numbers), [str(saga)])


def ending_of_copies() -> str:
    """Let all copies end as the saga that is its parameter has."""
    from bandstand.sagas import SagaExecution

    table, key = SagaExecution._meta.db_table, SagaExecution._meta.pk.column
    columns = [field.column for field in _written(SagaExecution) if field.column not in (key, "business_key")]
    assignments = ", ".join(f"{name} = f.{name}" for name in columns)
    return f"UPDATE {table} t SET {assignments} FROM {table} f WHERE f.{key} = %s AND t.business_key LIKE 'copy-%%'"


def _statement(model: type[Model], column: str, expressions: Mapping[str, str], numbers: str) -> str:
    table = model._meta.db_table
    columns = [field.column for field in _written(model)]
    values = ", ".join(expressions.get(name, f"t.{name}") for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} t, {numbers} WHERE t.{column} = %s"


def _written(model: type[Model]) -> Iterator["Field[Any, Any]"]:
    """All columns but those that the server numbers."""
    return (field for field in model._meta.concrete_fields if field.get_internal_type() != "BigAutoField")


def _keys(model: type[Model]) -> dict[str, str]:
    key = model._meta.pk
    return {key.column: "gen_random_uuid()"} if key.get_internal_type() == "UUIDField" else {}


def _companions() -> list[type[Model]]:
    """The tables with rows of a saga."""
    from django.apps import apps

    models = apps.get_app_config("bandstand_sagas").get_models()
    return [model for model in models if any(field.column == "saga_id" for field in model._meta.concrete_fields)]


def live_sagas() -> "QuerySet[Any]":
    """The sagas in an index of live rows: those that have not ended."""
    from bandstand.sagas import SagaExecution

    conditions = {index.condition for index in SagaExecution._meta.indexes if index.condition}
    return SagaExecution.objects.filter(reduce(or_, conditions))


def live_moments() -> set[str]:
    """The moments after which a live saga is looked for: those in the index of live rows, and when it goes on."""
    from bandstand.sagas import SagaExecution

    names = {name for index in SagaExecution._meta.indexes if index.condition for name in index.fields} | {"next_at"}
    fields = [field for field in SagaExecution._meta.concrete_fields if field.name in names]
    return {field.column for field in fields if isinstance(field, DateTimeField)}


def sizes(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Bytes of the sagas' table, of all its indexes and of those over live rows."""
    from bandstand.sagas import SagaExecution

    table = SagaExecution._meta.db_table
    of_live = [index.name for index in SagaExecution._meta.indexes if index.condition]
    query = (
        "SELECT pg_table_size(%s), pg_indexes_size(%s), (SELECT sum(pg_relation_size(i)) FROM unnest(%s::regclass[]) i)"
    )
    row = connection.execute(query, [table, table, of_live]).fetchone()
    assert row is not None
    return {"table_bytes": row[0], "indexes_bytes": row[1], "live_index_bytes": int(row[2] or 0)}
