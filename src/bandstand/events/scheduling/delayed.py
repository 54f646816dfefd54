"""Delayed events: rows of the transaction that wanted them, moved into the outbox when they are due."""

from datetime import datetime
from uuid import UUID

from django.db import connections, transaction

from bandstand import clock
from bandstand.config import section
from bandstand.events import wakeups
from bandstand.events._sql import Sql, as_time, as_uuid
from bandstand.events.config import EventsConfig
from bandstand.events.envelope import Envelope
from bandstand.events.outbox import insert

__all__ = ["first_due", "put_off", "release_due", "withdraw"]

LOOP = "schedule"
_PUT_OFF = """
    INSERT INTO bandstand_events_scheduled (event_id, type, subject, envelope, due_at) VALUES (%s, %s, %s, %s, %s)"""
_TAKE = """
    DELETE FROM bandstand_events_scheduled WHERE event_id IN (
           SELECT event_id FROM bandstand_events_scheduled WHERE due_at <= %s ORDER BY due_at, event_id LIMIT %s {lock})
    RETURNING event_id, type, subject, envelope, due_at"""


def put_off(envelope: Envelope, encoded: bytes, due_at: datetime, *, using: str) -> None:
    """Write an event that is to be published at *due_at*, in the open transaction."""
    sql = Sql(using)
    row = (sql.uuid(envelope.id), envelope.type, envelope.subject, encoded.decode(), sql.time(due_at))
    sql.change(_PUT_OFF, row)
    transaction.on_commit(lambda: wakeups.wake(LOOP), using=using)


def withdraw(event_id: UUID) -> bool:
    """Call off a delayed event, in the open transaction if there is one; False when it has been published already."""
    sql = Sql(section(EventsConfig).database)
    statement = "DELETE FROM bandstand_events_scheduled WHERE event_id = %s"
    return bool(sql.change(statement, (sql.uuid(event_id),)))


def first_due(*, using: str) -> datetime | None:
    """When the next delayed event is due."""
    rows = Sql(using).rows("SELECT due_at FROM bandstand_events_scheduled ORDER BY due_at LIMIT 1")
    return as_time(rows[0][0]) if rows else None


def release_due(*, limit: int, using: str) -> int:
    """Move up to *limit* due events into the outbox, in the order they are due, in one transaction; return how many."""
    sql, now = Sql(using), clock.database_now(using)
    lock = "FOR UPDATE SKIP LOCKED" if connections[using].features.has_select_for_update_skip_locked else ""
    with transaction.atomic(using=using):
        taken = sql.rows(_TAKE.format(lock=lock), (sql.time(now), limit))
        for event_id, kind, subject, envelope, _ in sorted(taken, key=lambda row: (as_time(row[4]), as_uuid(row[0]))):
            insert(as_uuid(event_id), kind, subject, envelope, at=now, using=using)
        transaction.on_commit(wakeups.relay, using=using)
    return len(taken)
