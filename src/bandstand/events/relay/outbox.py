"""The pending rows of the outbox, as the relay reads and moves them; each statement is a transaction of its own."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bandstand import clock
from bandstand.database.texts import storable
from bandstand.events._sql import Sql, as_uuid, marks
from bandstand.events.backends import Message
from bandstand.events.config import EventsConfig
from bandstand.events.envelope import sequenced
from bandstand.events.measures import relayed
from bandstand.events.partitions import Partition
from bandstand.events.relay.low_water import LowWater
from bandstand.events.retrying import pause_after

__all__ = ["Outbox", "Row"]

log = logging.getLogger(__name__)

# The subquery reads a partial index that is empty while the bus refuses nothing.
_PENDING = """
    SELECT id, event_id, type, subject, envelope, attempts FROM bandstand_events_outbox
     WHERE id > %s AND dead_at IS NULL AND subject NOT IN (
           SELECT subject FROM bandstand_events_outbox WHERE attempts > 0 AND dead_at IS NULL AND next_at > %s){}
     ORDER BY id LIMIT %s"""
_COPY = """
    INSERT INTO bandstand_events_delivered (id, event_id, type, subject, created_at, delivered_at)
    SELECT id, event_id, type, subject, created_at, %s FROM {} ON CONFLICT DO NOTHING"""
_COPY_CHOSEN = _COPY.format("bandstand_events_outbox WHERE id IN ({})")
_DELETE = "DELETE FROM bandstand_events_outbox WHERE id IN ({})"
_GONE = "DELETE FROM bandstand_events_outbox WHERE id = ANY(%s) RETURNING id, event_id, type, subject, created_at"
_MOVE = f"WITH gone AS ({_GONE}) {_COPY.format('gone')}"
# A table that is nearly always empty has no statistics, and without them PostgreSQL takes live rows for rare: it would
# sort the whole of a backlog for every batch. Once it has seen some rows it remembers what they are like.
_ANALYZE = "ANALYZE (SKIP_LOCKED) bandstand_events_outbox"
_REFUSE = """
    UPDATE bandstand_events_outbox SET attempts = %s, next_at = %s, dead_at = %s, reason = %s WHERE id = %s"""


@dataclass(frozen=True, slots=True)
class Row:
    """A pending event."""

    id: int
    event_id: str
    type: str
    subject: str
    envelope: str
    attempts: int

    def message(self) -> Message:
        """The event as the bus takes it: with its sequence, which is the row's id."""
        body = sequenced(self.envelope, self.id)
        return Message(event_id=self.event_id, type=self.type, subject=self.subject, body=body)


class Outbox:
    """One partition of the outbox of this service."""

    def __init__(self, config: EventsConfig, partition: Partition) -> None:
        self._config = config
        self._using = config.database
        self._is_postgresql = Sql(self._using).is_postgresql
        self._statement = _PENDING.format(partition.condition)
        self._low_water = LowWater(self._using, partition) if self._is_postgresql else None
        self._highest = 0
        self._is_known = not self._is_postgresql

    def pending(self, limit: int, *, without: Collection[int]) -> list[Row]:
        """The oldest live rows but *without* those; none of a subject whose refused event is not due yet."""
        if self._low_water is not None:
            self._low_water.advance(self._highest)
        above = self._low_water.id if self._low_water is not None else 0
        sql = Sql(self._using)
        now = sql.time(clock.database_now(self._using))
        rows = sql.rows(self._statement, (above, now, limit + len(without)))
        if rows:
            self._highest = max(self._highest, rows[-1][0])
        if len(rows) >= limit and not self._is_known:
            sql.change(_ANALYZE)
            self._is_known = True
        known = set(without)
        return [Row(row[0], str(as_uuid(row[1])), *row[2:]) for row in rows if row[0] not in known]

    def move(self, ids: Sequence[int]) -> None:
        """Turn rows into receipts; on PostgreSQL by one statement, elsewhere in the transaction at hand."""
        sql = Sql(self._using)
        now = sql.time(clock.database_now(self._using))
        if self._is_postgresql:
            sql.change(_MOVE, (list(ids), now))
            return
        places = marks(len(ids))
        sql.change(_COPY_CHOSEN.format(places), (now, *ids))
        sql.change(_DELETE.format(places), ids)

    def refuse(self, row: Row, reason: str) -> None:
        """Let only this event's subject wait; give up on the event after so many attempts."""
        sql = Sql(self._using)
        now = clock.database_now(self._using)
        attempts = row.attempts + 1
        dead = attempts >= self._config.attempts
        again = now + pause_after(attempts, self._config)
        sql.change(_REFUSE, (attempts, sql.time(again), sql.time(now) if dead else None, storable(reason), row.id))
        extra = {"event_id": row.event_id, "event_type": row.type, "attempt": attempts, "reason": reason}
        relayed.labels("given_up" if dead else "refused").inc()
        if dead:
            log.error("outbox.event_dead", extra=extra)
        else:
            log.warning("outbox.event_refused", extra=extra)
