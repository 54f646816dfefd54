"""The statements by which sagas are written: a few per wave, however many sagas it carries.

Raw SQL, since every confirmed order pays for it. A wave first locks its rows and compares their epochs; what it then
writes names the epoch once more, so that a worker whose lease was taken over can write nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import DEFAULT_DB_ALIAS, connection, connections

from bandstand.sagas.models import SagaExecution, SagaSignal, SagaStepLog
from bandstand.sagas.protocol import Log, State
from bandstand.sagas.runs import Run, write_state

__all__ = ["Fenced", "Line", "Write", "insert", "is_statement_enough", "lock", "save", "save_at_once"]

_SAGAS = SagaExecution._meta.db_table  # noqa: SLF001 - Django's documented way to the name
_LOG = SagaStepLog._meta.db_table  # noqa: SLF001
_SIGNALS = SagaSignal._meta.db_table  # noqa: SLF001


_TOLD = f"EXISTS (SELECT 1 FROM {_SIGNALS} g WHERE g.saga_id = s.id AND g.taken_at IS NULL AND NOT g.proposed)"  # noqa: S608 - names only


class Fenced(RuntimeError):
    """Another worker took a saga over between its lock and its write: cannot happen while the lock is held."""


@dataclass(kw_only=True, slots=True)
class Write:
    """What a wave writes of one saga; a `context` of None leaves it as it is.

    With an owner a `lease_until` of None leaves the lease to the heartbeat. Without one the saga is open to any worker
    from `lease_until` on, and has ended if that is None.
    """

    run: Run
    state: State
    context: str | None
    owner: UUID | None
    lease_until: datetime | None


@dataclass(slots=True)
class Line:
    """One line of the log."""

    run: Run
    log: Log
    output: str = ""
    worker: UUID | None = None


# name -> PostgreSQL's type, in the order of the values below
_MOVED = {
    "status": "text",
    "step": "text",
    "direction": "text",
    "attempt": "int",
    "state": "text",
    "context_data": "jsonb",
    "reason": "text",
    "error": "text",
    "owner": "uuid",
    "lease_until": "timestamptz",
    "next_at": "timestamptz",
    "deadline": "timestamptz",
    "updated_at": "timestamptz",
}
_FENCE = {"id": "uuid", "epoch": "bigint"}
_BORN = {
    **_MOVED,
    **_FENCE,
    "type": "text",
    "version": "int",
    "business_key": "text",
    "correlation_id": "text",
    "traceparent": "text",
    "parent_id": "uuid",
    "parent_step": "text",
    "priority": "int",
    "limit_key": "text",
    "created_at": "timestamptz",
}
_LOGGED = {
    "saga_id": "uuid",
    "step": "text",
    "direction": "text",
    "attempt": "int",
    "outcome": "text",
    "key": "text",
    "at": "timestamptz",
    "error": "text",
    "output": "text",
    "worker": "uuid",
}
# A large context that no step has changed is not written again. Neither is a lease: it is indexed, and a row of which
# no indexed column changes is updated in place, without a new entry in any index (a heap-only tuple).
_ASSIGNED = {
    "context_data": "COALESCE({new}, {old})",
    "lease_until": "CASE WHEN {owner} IS NULL THEN {new} ELSE COALESCE({new}, {old}) END",
}


class _Parameters:
    """How the database at hand wants its values; asked once per statement, since every `connection.…` is a look-up."""

    def __init__(self) -> None:
        database = connections[DEFAULT_DB_ALIAS]
        self.is_postgresql = database.vendor == "postgresql"
        self._native_uuid = database.features.has_native_uuid_field
        self._adapt_time = database.ops.adapt_datetimefield_value

    def uuid(self, value: UUID | None) -> UUID | str | None:
        """An id as a parameter."""
        return value if value is None or self._native_uuid else value.hex

    def time(self, value: datetime | None) -> Any:
        """A moment as a parameter."""
        return None if value is None else self._adapt_time(value)


def _moved(write: Write, now: datetime, db: _Parameters) -> tuple[Any, ...]:
    state = write.state
    first = state.at[0] if state.at else None
    return (
        state.status.value,
        first.unit if first else "",
        state.direction.value,
        first.attempt if first else 0,
        write_state(state),
        write.context,
        state.reason,
        state.error,
        db.uuid(write.owner),
        db.time(write.lease_until),
        db.time(state.next_at),
        db.time(state.deadline),
        db.time(now),
    )


def insert(write: Write, lines: Sequence[Line], now: datetime) -> bool:
    """Write a new saga and the first lines of its log; False when its type and business key have one already."""
    run, db = write.run, _Parameters()
    values = (
        *_moved(write, now, db),
        db.uuid(run.id),
        run.epoch,
        run.saga.name,
        run.saga.version,
        run.business_key,
        run.correlation_id,
        run.traceparent,
        db.uuid(run.parent_id),
        run.parent_step,
        run.priority,
        run.limit_key,
        db.time(run.created_at),
    )
    rows = _logged(lines, now, db)
    with connection.cursor() as cursor:
        if db.is_postgresql:
            cursor.execute(_insert_sql(logs=True), (*values, _records(rows)))
            return cursor.fetchone() is not None
        cursor.execute(_insert_sql(logs=False), values)
        written: int = cursor.rowcount
    if written:
        _append(rows)
    return written == 1


@cache
def _insert_sql(*, logs: bool) -> str:
    names, marks = ", ".join(_BORN), ", ".join(["%s"] * len(_BORN))
    born = f"INSERT INTO {_SAGAS} ({names}) VALUES ({marks}) ON CONFLICT (type, business_key) DO NOTHING"  # noqa: S608 - names only
    if not logs:
        return born
    return f"WITH born AS ({born} RETURNING id), logged AS ({_append_sql('born')}) SELECT id FROM born"  # noqa: S608 - as above


def lock(ids: Iterable[UUID]) -> dict[UUID, tuple[int, bool]]:
    """Lock these sagas until the end of the transaction: id -> (epoch, whether something was said to it).

    On SQLite the transaction itself holds the only write lock there is.
    """
    db = _Parameters()
    keys = [db.uuid(one) for one in ids]
    marks = ", ".join(["%s"] * len(keys))
    sql = f"""
        SELECT s.id, s.epoch, {_TOLD}
          FROM {_SAGAS} s WHERE s.id IN ({marks}) AND s.lease_until IS NOT NULL ORDER BY s.id"""  # noqa: S608 - marks only
    if db.is_postgresql:
        sql += " FOR UPDATE OF s"
    with connection.cursor() as cursor:
        cursor.execute(sql, keys)
        rows = cursor.fetchall()
    return {_read_uuid(row[0]): (row[1], bool(row[2])) for row in rows}


def save(writes: Sequence[Write], lines: Sequence[Line], now: datetime) -> None:
    """Write these locked sagas, each under its epoch, and append to the log. Raises Fenced when one has a new owner."""
    db = _Parameters()
    if db.is_postgresql:
        written = len(_save_in_one(writes, lines, now, db, unless="FALSE"))
    else:
        written = _save_rows(writes, now, db)
        _append(_logged(lines, now, db))
    if written != len(writes):
        raise Fenced(f"{len(writes) - written} of {len(writes)} sagas have a new owner")


def is_statement_enough() -> bool:
    """Whether `save_at_once` writes sagas and their log at once: where a statement costs a round trip."""
    return connections[DEFAULT_DB_ALIAS].vendor == "postgresql"


def save_at_once(writes: Sequence[Write], lines: Sequence[Line], now: datetime) -> set[UUID]:
    """Write in one statement, without a lock before it, the sagas that are ours still and to which nothing was said.

    Returns their ids. The statement is a transaction of its own.
    """
    return _save_in_one(writes, lines, now, _Parameters(), unless=_TOLD)


def _save_in_one(
    writes: Sequence[Write], lines: Sequence[Line], now: datetime, db: _Parameters, *, unless: str
) -> set[UUID]:
    """The lines of a saga are only written with its row, and in their order."""
    with connection.cursor() as cursor:
        cursor.execute(_save_sql(unless), [_records(_fenced(writes, now, db)), _records(_logged(lines, now, db))])
        return {row[0] for row in cursor.fetchall()}


@cache
def _save_sql(unless: str) -> str:
    return f"""
        WITH moved AS (
            UPDATE {_SAGAS} s SET {_assignments("v.{name}", "s.")} FROM {_recordset({**_MOVED, **_FENCE})}
             WHERE s.id = v.id AND s.epoch = v.epoch AND s.lease_until IS NOT NULL AND NOT {unless} RETURNING s.id),
        logged AS ({_append_sql("moved")})
        SELECT id FROM moved"""  # noqa: S608 - names only


def _save_rows(writes: Sequence[Write], now: datetime, db: _Parameters) -> int:
    sql = f"UPDATE {_SAGAS} SET {_assignments('%({name})s', '')} WHERE id = %(id)s AND epoch = %(epoch)s"  # noqa: S608 - names only
    with connection.cursor() as cursor:
        cursor.executemany(sql, _fenced(writes, now, db))
        written: int = cursor.rowcount
    return written


def _fenced(writes: Sequence[Write], now: datetime, db: _Parameters) -> list[dict[str, Any]]:
    columns = (*_MOVED, *_FENCE)
    return [
        dict(zip(columns, (*_moved(write, now, db), db.uuid(write.run.id), write.run.epoch), strict=True))
        for write in writes
    ]


def _assignments(new: str, old: str) -> str:
    values = {
        name: _ASSIGNED.get(name, "{new}").format(
            new=new.format(name=name), old=f"{old}{name}", owner=new.format(name="owner")
        )
        for name in _MOVED
    }
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _append(rows: list[dict[str, Any]]) -> None:
    sql = f"INSERT INTO {_LOG} ({', '.join(_LOGGED)}) VALUES ({', '.join(f'%({name})s' for name in _LOGGED)})"  # noqa: S608 - names only
    with connection.cursor() as cursor:
        if rows:
            cursor.executemany(sql, rows)


def _append_sql(written: str) -> str:
    """Append the lines of those sagas whose ids are in *written*."""
    names = ", ".join(_LOGGED)
    numbered = {**_LOGGED, "number": "int"}
    return f"""INSERT INTO {_LOG} ({names}) SELECT {", ".join(f"v.{name}" for name in _LOGGED)}
        FROM {_recordset(numbered)} JOIN {written} w ON w.id = v.saga_id ORDER BY v.number"""  # noqa: S608 - names only


def _logged(lines: Sequence[Line], now: datetime, db: _Parameters) -> list[dict[str, Any]]:
    at = db.time(now)
    return [
        {
            "saga_id": db.uuid(line.run.id),
            "step": line.log.unit,
            "direction": line.log.direction.value,
            "attempt": line.log.attempt,
            "outcome": line.log.outcome.value,
            "key": line.run.key(line.log.unit),
            "at": at,
            "error": line.log.error,
            "output": line.output,
            "worker": db.uuid(line.worker),
            "number": number,
        }
        for number, line in enumerate(lines)
    ]


def _recordset(columns: dict[str, str]) -> str:
    """Rows that travel as one JSON document: a fraction of what an array per column costs to write and to read."""
    return f"jsonb_to_recordset(%s::jsonb) AS v({', '.join(f'{name} {kind}' for name, kind in columns.items())})"


def _records(rows: list[dict[str, Any]]) -> str:
    for row in rows:
        if row.get("context_data") is not None:
            row["context_data"] = msgspec.Raw(row["context_data"])
    return msgspec.json.encode(rows).decode()


def _read_uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
