"""The statements by which sagas are written: a few per wave, however many sagas it carries.

Raw SQL, since every confirmed order pays for it. A wave first locks its rows and compares their epochs; what it then
writes names the epoch once more, so that a worker whose lease was taken over can write nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import F

from bandstand import clock
from bandstand.sagas.models import CancelRequest, SagaExecution, SagaStepLog
from bandstand.sagas.protocol import Log, State
from bandstand.sagas.runs import Run

__all__ = ["Fenced", "Line", "Move", "append", "claim", "heartbeat", "insert", "lock", "release", "save", "wished"]

_SAGAS = SagaExecution._meta.db_table  # noqa: SLF001 - Django's documented way to the name
_LOG = SagaStepLog._meta.db_table  # noqa: SLF001
_CANCELS = CancelRequest._meta.db_table  # noqa: SLF001


class Fenced(RuntimeError):
    """Another worker took a saga over between its lock and its write: cannot happen while the lock is held."""


@dataclass(kw_only=True, slots=True)
class Move:
    """What a wave writes of one saga. Without an owner the saga is open to any worker from `lease_until` on."""

    run: Run
    state: State
    context: str
    owner: UUID | None
    lease_until: datetime | None


@dataclass(slots=True)
class Line:
    """One line of the log."""

    run: Run
    log: Log


# name -> PostgreSQL's type, in the order of the values below
_MOVED = {
    "status": "text",
    "step": "text",
    "direction": "text",
    "attempt": "int",
    "since": "timestamptz",
    "done": "jsonb",
    "context_data": "jsonb",
    "ending": "text",
    "reason": "text",
    "error": "text",
    "cancel_requested": "boolean",
    "owner": "uuid",
    "lease_until": "timestamptz",
    "next_at": "timestamptz",
    "updated_at": "timestamptz",
}
_FENCE = {"id": "uuid", "epoch": "bigint"}
_BORN = {
    **_MOVED,
    **_FENCE,
    "type": "text",
    "business_key": "text",
    "correlation_id": "text",
    "traceparent": "text",
    "deadline": "timestamptz",
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


def _moved(move: Move, now: datetime, db: _Parameters) -> tuple[Any, ...]:
    state = move.state
    return (
        state.status.value,
        state.step,
        state.direction.value,
        state.attempt,
        db.time(state.since),
        msgspec.json.encode(state.done).decode(),
        move.context,
        state.ending.value if state.ending else "",
        state.reason,
        state.error,
        state.cancel_requested,
        db.uuid(move.owner),
        db.time(move.lease_until),
        db.time(state.next_at),
        db.time(now),
    )


def insert(move: Move, now: datetime) -> bool:
    """Write a new saga; False when its type and business key have one already."""
    run, db = move.run, _Parameters()
    values = (
        *_moved(move, now, db),
        db.uuid(run.id),
        run.epoch,
        run.saga.name,
        run.business_key,
        run.correlation_id,
        run.traceparent,
        db.time(move.state.deadline),
        db.time(run.created_at),
    )
    with connection.cursor() as cursor:
        cursor.execute(_insert_sql(), values)
        written: int = cursor.rowcount
    return written == 1


def lock(ids: Iterable[UUID]) -> dict[UUID, tuple[int, bool]]:
    """Lock these sagas until the end of the transaction: id -> (epoch, whether a cancellation is wished).

    On SQLite the transaction itself holds the only write lock there is.
    """
    db = _Parameters()
    keys = [db.uuid(one) for one in ids]
    marks = ", ".join(["%s"] * len(keys))
    sql = f"""
        SELECT s.id, s.epoch, EXISTS (SELECT 1 FROM {_CANCELS} c WHERE c.saga_id = s.id)
          FROM {_SAGAS} s WHERE s.id IN ({marks}) AND s.lease_until IS NOT NULL ORDER BY s.id"""  # noqa: S608 - marks only
    if db.is_postgresql:
        sql += " FOR UPDATE OF s"
    with connection.cursor() as cursor:
        cursor.execute(sql, keys)
        rows = cursor.fetchall()
    return {_read_uuid(row[0]): (row[1], bool(row[2])) for row in rows}


def save(moves: Sequence[Move], now: datetime) -> None:
    """Write these sagas, each under its epoch. Raises Fenced when one of them has another by now."""
    if not moves:
        return
    db = _Parameters()
    rows = [(*_moved(move, now, db), db.uuid(move.run.id), move.run.epoch) for move in moves]
    columns = {**_MOVED, **_FENCE}
    with connection.cursor() as cursor:
        if db.is_postgresql:
            assignments = ", ".join(f"{name} = v.{name}" for name in _MOVED)
            fenced = f"FROM {_unnest(columns)} WHERE s.id = v.id AND s.epoch = v.epoch"
            cursor.execute(f"UPDATE {_SAGAS} s SET {assignments} {fenced}", _arrays(rows))  # noqa: S608 - names only
        else:
            assignments = ", ".join(f"{name} = %s" for name in _MOVED)
            cursor.executemany(f"UPDATE {_SAGAS} SET {assignments} WHERE id = %s AND epoch = %s", rows)  # noqa: S608
        if cursor.rowcount != len(moves):
            raise Fenced(f"{len(moves) - cursor.rowcount} of {len(moves)} sagas have a new owner")


def append(lines: Sequence[Line], now: datetime) -> None:
    """Append to the log."""
    if not lines:
        return
    db = _Parameters()
    at = db.time(now)
    rows = [
        (
            db.uuid(line.run.id),
            line.log.step,
            line.log.direction.value,
            line.log.attempt,
            line.log.outcome.value,
            line.run.key(line.log.step),
            at,
            line.log.error,
        )
        for line in lines
    ]
    names = ", ".join(_LOGGED)
    into = f"INSERT INTO {_LOG} ({names})"  # names of columns only
    with connection.cursor() as cursor:
        if db.is_postgresql:
            cursor.execute(f"{into} SELECT {names} FROM {_unnest(_LOGGED)}", _arrays(rows))  # noqa: S608 - as above
        else:
            cursor.executemany(f"{into} VALUES ({', '.join(['%s'] * len(_LOGGED))})", rows)


def claim(owner: UUID, *, types: list[str], lease: timedelta, limit: int, again: set[UUID]) -> list[SagaExecution]:
    """Take over up to *limit* sagas whose lease ran out, longest first, and those of *again* that are ours still."""
    now = clock.database_now()
    due = SagaExecution.objects.filter(lease_until__lte=now, type__in=types)
    ours = SagaExecution.objects.filter(pk__in=again, owner=owner)
    if not again and (limit <= 0 or not due.exists()):
        return []
    with transaction.atomic():
        rows = list(ours.select_for_update()) if again else []
        known = {row.pk for row in rows}
        free = due.exclude(pk__in=known).order_by("lease_until").select_for_update(skip_locked=True)
        rows += free[: max(0, limit - len(rows))]
        mine = SagaExecution.objects.filter(pk__in=[row.pk for row in rows])
        mine.update(owner=owner, epoch=F("epoch") + 1, lease_until=now + lease)
    for row in rows:
        row.epoch += 1
    return rows


def heartbeat(owner: UUID, ids: Iterable[UUID], *, lease: timedelta) -> int:
    """Renew the leases of all these sagas in one statement; returns how many are ours still."""
    until = clock.database_now() + lease
    return SagaExecution.objects.filter(pk__in=list(ids), owner=owner).update(lease_until=until)


def release(owner: UUID, ids: Iterable[UUID]) -> None:
    """Let any worker take these sagas, each from the moment its next attempt is due."""
    saga_ids = list(ids)
    if not saga_ids:
        return
    now = clock.database_now()
    held = SagaExecution.objects.filter(pk__in=saga_ids, owner=owner)
    held.filter(next_at__gt=now).update(owner=None, lease_until=F("next_at"))
    held.filter(owner=owner).update(owner=None, lease_until=now)


def wished(ids: Iterable[UUID]) -> list[UUID]:
    """Which of these sagas somebody wishes cancelled."""
    return list(CancelRequest.objects.filter(pk__in=list(ids)).values_list("saga_id", flat=True))


def _insert_sql() -> str:
    names, marks = ", ".join(_BORN), ", ".join(["%s"] * len(_BORN))
    return f"INSERT INTO {_SAGAS} ({names}) VALUES ({marks}) ON CONFLICT (type, business_key) DO NOTHING"  # noqa: S608


def _unnest(columns: dict[str, str]) -> str:
    # An array of documents travels as text: PostgreSQL parses it once, on arrival.
    arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
    return f"unnest({arrays}) AS v({', '.join(columns)})"


def _arrays(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _read_uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
