"""The relay: carries pending outbox rows to the bus, and only then marks them delivered.

It dies anywhere without losing an event: a row is moved after the bus has accepted it, so the worst is a second
delivery, which inboxes recognise. It reads all live rows in the order of their ids and keeps no position: ids become
visible out of order on PostgreSQL, and `id > last` would pass over those that commit late.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import DatabaseError, transaction

from bandstand import clock
from bandstand.config import section
from bandstand.events import wakeups
from bandstand.events._sql import Sql, as_uuid, marks
from bandstand.events.backends import Bus, BusUnavailable, Message, Published, current_bus
from bandstand.events.config import EventsConfig
from bandstand.events.envelope import sequenced
from bandstand.events.leases import Leadership
from bandstand.events.measures import RelayGauges
from bandstand.events.retention import Housekeeping, purge_delivered
from bandstand.events.retrying import outage_pause, pause_after
from bandstand.lifecycle import Loop
from bandstand.lifecycle.crashpoints import crash_point, register_crash_points
from bandstand.observability.tracing import span

__all__ = ["Relay", "RelayLoop", "revive"]

log = logging.getLogger(__name__)

register_crash_points(["outbox.before_publish", "outbox.after_publish", "outbox.after_mark"])

# The subquery reads a partial index that is empty while the bus refuses nothing.
_PENDING = """
    SELECT id, event_id, type, subject, envelope, attempts FROM bandstand_events_outbox
     WHERE dead_at IS NULL AND subject NOT IN (
           SELECT subject FROM bandstand_events_outbox WHERE attempts > 0 AND dead_at IS NULL AND next_at > %s)
     ORDER BY id LIMIT %s"""
_DELIVERED = """
    INSERT INTO bandstand_events_delivered (id, event_id, type, subject, created_at, delivered_at)
    SELECT id, event_id, type, subject, created_at, %s FROM bandstand_events_outbox WHERE id IN ({})
    ON CONFLICT DO NOTHING"""
_GONE = "DELETE FROM bandstand_events_outbox WHERE id IN ({})"
_REFUSED = """
    UPDATE bandstand_events_outbox SET attempts = %s, next_at = %s, dead_at = %s, reason = %s WHERE id = %s"""


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    event_id: str
    type: str
    subject: str
    envelope: str
    attempts: int

    def message(self) -> Message:
        body = sequenced(self.envelope, self.id)
        return Message(event_id=self.event_id, type=self.type, subject=self.subject, body=body)


class Relay:
    """Moves one batch at a time. Any number of relays at once is correct; one at a time is enough.

    Marking is gathered for the configured interval: under load one commit then marks many batches, and a relay that
    is killed meanwhile only publishes them again.
    """

    def __init__(self, bus: Bus, config: EventsConfig) -> None:
        self._bus = bus
        self._config = config
        self._leadership = Leadership("relay", lasting=config.relay_lease, using=config.database)
        self._unmarked: list[int] = []
        self._mark_due = 0.0

    def run_once(self) -> int:
        """Publish up to one batch and return how many events the bus accepted; 0 when another relay leads.

        Raises BusUnavailable, with nothing of the batch marked.
        """
        rows = self._pending()
        if not rows or not self._leadership.hold():
            return 0
        crash_point("outbox.before_publish")
        with span("publish events", "producer", **{"messaging.batch.message_count": len(rows)}):
            published = self._bus.publish([row.message() for row in rows])
        crash_point("outbox.after_publish")
        self._note(rows, published)
        return len(published.accepted)

    def mark(self) -> None:
        """Write down now what the bus has accepted."""
        if self._unmarked:
            self._mark(())
            crash_point("outbox.after_mark")

    def mark_due_in(self) -> timedelta | None:
        """How long `mark` may still wait; None when there is nothing to mark."""
        return timedelta(seconds=max(0.0, self._mark_due - clock.monotonic())) if self._unmarked else None

    def stop(self) -> None:
        """Mark what is left and let a standby take over at once."""
        try:
            self.mark()
            self._leadership.release()
        except DatabaseError as error:  # then it is published again, and the lease runs out by itself
            log.warning("relay.stopped_unmarked", extra={"error": str(error), "events": len(self._unmarked)})

    def _note(self, rows: Sequence[_Row], published: Published) -> None:
        if not self._unmarked:
            self._mark_due = clock.monotonic() + self._config.mark_interval.total_seconds()
        self._unmarked += [row.id for row in rows if row.event_id in published.accepted]
        refused = [(row, published.refused[row.event_id]) for row in rows if row.event_id in published.refused]
        if refused or len(self._unmarked) >= self._config.batch or clock.monotonic() >= self._mark_due:
            self._mark(refused)
            crash_point("outbox.after_mark")

    def _pending(self) -> list[_Row]:
        """The oldest live rows that this relay has not just published."""
        sql = Sql(self._config.database)
        now = clock.database_now(self._config.database)
        rows = sql.rows(_PENDING, (sql.time(now), self._config.batch + len(self._unmarked)))
        known = set(self._unmarked)
        return [_Row(row[0], str(as_uuid(row[1])), *row[2:]) for row in rows if row[0] not in known]

    def _mark(self, refused: Sequence[tuple[_Row, str]]) -> None:
        """Write down what the bus said, in one short transaction of its own."""
        now = clock.database_now(self._config.database)
        with transaction.atomic(using=self._config.database):
            sql = Sql(self._config.database)
            if self._unmarked:
                places = marks(len(self._unmarked))
                sql.change(_DELIVERED.format(places), (sql.time(now), *self._unmarked))
                sql.change(_GONE.format(places), self._unmarked)
            for row, reason in refused:
                self._refuse(sql, row, reason)
            self._leadership.hold()
        self._unmarked = []

    def _refuse(self, sql: Sql, row: _Row, reason: str) -> None:
        """Let only this event's subject wait; give up on the event after so many attempts."""
        now = clock.database_now(self._config.database)
        attempts = row.attempts + 1
        dead = attempts >= self._config.attempts
        again = now + pause_after(attempts, self._config)
        sql.change(_REFUSED, (attempts, sql.time(again), sql.time(now) if dead else None, reason, row.id))
        extra = {"event_id": row.event_id, "event_type": row.type, "attempt": attempts, "reason": reason}
        if dead:
            log.error("outbox.event_dead", extra=extra)
        else:
            log.warning("outbox.event_refused", extra=extra)


class RelayLoop(Loop):
    """Runs the relay of this service whenever the outbox has rows."""

    name = "relay"

    def __init__(self) -> None:
        self._config = section(EventsConfig)
        self._bus = current_bus()
        self._waiter = self._bus.waiter(wakeups.relay_name())
        self._relay = Relay(self._bus, self._config)
        self._gauges = RelayGauges(self._config)
        self._housekeeping = Housekeeping(lambda: purge_delivered(self._config))
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Relay until *stop*; a bus or database that is down is asked again with growing pauses."""
        try:
            while not stop.is_set():
                with self.iteration():
                    pause = self._turn(stop)
                if pause:
                    self._waiter.wait(pause)
        finally:
            self._waiter.close()
            self._relay.stop()

    def wake(self) -> None:
        """End a wait."""
        self._waiter.wake()

    def _turn(self, stop: threading.Event) -> timedelta | None:
        try:
            moved = self._relay.run_once()
            if not moved and self._relay.mark_due_in() == timedelta(0):
                self._relay.mark()
            self._gauges.measure()
            self._housekeeping.run_due()
        except (BusUnavailable, DatabaseError) as error:
            self._failures += 1
            log.warning("relay.interrupted", extra={"error": str(error), "failures": self._failures})
            stop.wait(outage_pause(self._failures, self._config).total_seconds())
            return None
        self._failures = 0
        if moved:
            return None
        due_in = self._relay.mark_due_in()
        return self._config.safety_poll if due_in is None else max(due_in, timedelta(milliseconds=1))


def revive(*, using: str = "default") -> int:
    """Let the relay try all events again that the bus refused for good; return how many."""
    sql = Sql(using)
    revived = sql.change(
        "UPDATE bandstand_events_outbox SET attempts = 0, next_at = NULL, dead_at = NULL, reason = ''"
        " WHERE dead_at IS NOT NULL"
    )
    wakeups.relay()
    return revived
