"""Moving batches: what is published without a transaction is marked in a short one afterwards."""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import DatabaseError, transaction

from bandstand import clock
from bandstand.events.backends import Published
from bandstand.events.config import EventsConfig
from bandstand.events.history import Publisher
from bandstand.events.leases import Leadership
from bandstand.events.measures import relayed
from bandstand.events.partitions import WHOLE, Partition
from bandstand.events.relay.outbox import Outbox, Row
from bandstand.lifecycle.crashpoints import crash_point, register_crash_points
from bandstand.observability.tracing import span

__all__ = ["Relay"]

log = logging.getLogger(__name__)

_FIRST_BATCH = 50
_LARGE_CHARACTERS = 4_000_000

register_crash_points(["outbox.before_publish", "outbox.after_publish", "outbox.after_mark"])


class Relay:
    """Moves one batch of a partition at a time. Any number of relays at once is correct; one at a time is enough.

    Marking is gathered for the configured interval: under load one commit then marks many batches, and a relay that
    is killed meanwhile only publishes them again. Batches of large events have few of them, so that they need no more
    memory than those of small ones.
    """

    def __init__(self, bus: Publisher, config: EventsConfig, *, partition: Partition = WHOLE) -> None:
        self._bus = bus
        self._config = config
        self._leadership = Leadership(partition.name, lasting=config.relay_lease, using=config.database)
        self._outbox = Outbox(config, partition)
        self._size = min(_FIRST_BATCH, config.batch)
        self._unmarked: list[int] = []
        self._mark_due = 0.0

    def run_once(self) -> int:
        """Publish up to one batch and return how many events the bus accepted; 0 when another relay leads.

        Raises BusUnavailable, with nothing of the batch marked.
        """
        rows = self._outbox.pending(self._size, without=self._unmarked)
        if not rows or not self._leadership.hold():
            return 0
        crash_point("outbox.before_publish")
        with span("publish events", "producer", **{"messaging.batch.message_count": len(rows)}):
            published = self._bus.publish([row.message() for row in rows])
        crash_point("outbox.after_publish")
        relayed.labels("accepted").inc(len(published.accepted))
        self._note(rows, published)
        self._adapt(rows)
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

    def _note(self, rows: Sequence[Row], published: Published) -> None:
        if not self._unmarked:
            self._mark_due = clock.monotonic() + self._config.mark_interval.total_seconds()
        self._unmarked += [row.id for row in rows if row.event_id in published.accepted]
        refused = [(row, published.refused[row.event_id]) for row in rows if row.event_id in published.refused]
        if refused or len(self._unmarked) >= self._size or clock.monotonic() >= self._mark_due:
            self._mark(refused)
            crash_point("outbox.after_mark")

    def _adapt(self, rows: Sequence[Row]) -> None:
        characters = sum(len(row.envelope) for row in rows)
        if characters > _LARGE_CHARACTERS:
            self._size = max(1, len(rows) * _LARGE_CHARACTERS // characters)
        elif characters < _LARGE_CHARACTERS / 2:
            self._size = min(self._config.batch, self._size * 2)

    def _mark(self, refused: Sequence[tuple[Row, str]]) -> None:
        """Write down what the bus said, in one short transaction of its own."""
        with transaction.atomic(using=self._config.database):
            if self._unmarked:
                self._outbox.move(self._unmarked)
            for row, reason in refused:
                self._outbox.refuse(row, reason)
            self._leadership.hold()
        self._unmarked = []
