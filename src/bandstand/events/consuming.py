"""The consumer loop: bus to inbox, one loop per group however many consumers it has."""

import logging
import threading
from contextlib import closing
from datetime import timedelta

from django.db import DatabaseError

from bandstand import clock
from bandstand.config import section
from bandstand.events._sql import Sql
from bandstand.events.backends import BusUnavailable, Subscription, current_bus
from bandstand.events.bookmarks import Bookmarks
from bandstand.events.config import EventsConfig
from bandstand.events.groups import Group, default_group, register_all
from bandstand.events.inbox import Inbox, ReaderHeld
from bandstand.events.lanes import Lanes
from bandstand.events.measures import ConsumerGauges
from bandstand.events.pausing import standing_by
from bandstand.events.retention import Housekeeping, bus_purge, purge_actions, purge_dead_letters, purge_inbox
from bandstand.events.retrying import outage_pause
from bandstand.events.waiting import Retries
from bandstand.lifecycle import Loop
from bandstand.lifecycle.crashpoints import crash_point

__all__ = ["ConsumerLoop"]

log = logging.getLogger(__name__)

_NOW = timedelta(0)
_BATCHES_AHEAD = 4
"""How many batches of each lane may be in memory: one slow subject keeps all behind it from being acknowledged."""


class ConsumerLoop(Loop):
    """Reads for a group of this service while this process has the right to, and stands by otherwise.

    The bus is acknowledged only after the commit, and some commits late: what a killed process had not yet
    acknowledged comes again and finds its inbox row.
    """

    name = "consumers"

    def __init__(self, group: Group | None = None) -> None:
        self._config = section(EventsConfig)
        mine = group or default_group()
        self._group = mine.name
        self._inboxes = [
            Inbox(mine.consumers, self._config, group=self._group) for _ in range(mine.lanes(self._config))
        ]
        self._lanes: Lanes | None = None
        self._bookmarks = Bookmarks(self._group, using=self._config.database)
        self._retries = Retries(mine, self._config)
        self._bus = current_bus()
        self._waiter = self._bus.waiter(self._group)
        self._subscription: Subscription | None = None
        self._is_registered = False
        self._is_held = False
        self._gauges = ConsumerGauges(self._bus, self._group, self._config)
        self._housekeeping = Housekeeping(
            lambda: 0 if self._held() else purge_inbox(self._config, mine),
            lambda: purge_dead_letters(self._config),
            lambda: purge_actions(self._config),
            bus_purge(self._bus, self._config),
        )
        self._flushed_at = clock.monotonic()
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Consume until *stop*; a bus or database that is down is asked again with growing pauses."""
        try:
            while not stop.is_set():
                with self.iteration():
                    pause = self._turn(stop)
                if pause:
                    self._waiter.wait(pause)
        finally:
            try:
                self._leave()
            finally:
                self._waiter.close()

    def wake(self) -> None:
        """End a wait."""
        self._waiter.wake()

    @property
    def is_stalled(self) -> bool:
        """Whether the reader, or one of its lanes, has been at one thing for longer than `stall_after`."""
        lanes = self._lanes
        is_slow = lanes is not None and lanes.busy_seconds() > self.stall_after.total_seconds()
        return super().is_stalled or is_slow

    def _turn(self, stop: threading.Event) -> timedelta:
        """Do what there is to do; return how long to wait for more."""
        try:
            pause = self._consume()
        except (BusUnavailable, DatabaseError) as error:
            self._failures += 1
            log.warning("consumers.interrupted", extra={"error": str(error), "failures": self._failures})
            self._leave()  # what was fetched but not applied is delivered again to the next subscription
            self._is_registered = False  # a server that lost its data knows the group no longer
            stop.wait(outage_pause(self._failures, self._config).total_seconds())
            return _NOW
        self._failures = 0
        return pause

    def _consume(self) -> timedelta:
        self._gauges.measure()
        if self._is_held and self._held():
            return self._config.safety_poll
        try:
            return self._read_on()
        except ReaderHeld:
            log.info("consumers.held", extra={"group": self._group})
            self._leave()
            self._is_held = True
            return self._config.safety_poll

    def _held(self) -> bool:
        self._is_held = self._group in standing_by(Sql(self._config.database))
        return self._is_held

    def _read_on(self) -> timedelta:
        subscription = self._subscribed()
        if subscription is None:
            return self._config.safety_poll
        due_in = self._retries.run_due()
        is_busy = self._apply(subscription) if self._lanes is None else self._apply_in(self._lanes, subscription)
        flush_in = self._flush(subscription)
        is_idle = not is_busy and (self._lanes is None or self._lanes.is_idle)
        if is_idle and not subscription.unflushed:
            # Nothing that was ever applied can be redelivered from here, so old inbox rows may go.
            self._housekeeping.run_due()
        return _NOW if is_busy else min(due_in, flush_in)

    def _apply(self, subscription: Subscription) -> bool:
        """Apply the next batch here and now; False when there is none."""
        (inbox,) = self._inboxes
        deliveries = subscription.fetch(inbox.size)
        if deliveries:
            if inbox.apply(deliveries, subscription.bookmarks(deliveries[-1].position)):
                self._retries.expect()
            subscription.ack(deliveries[-1].position)
        return bool(deliveries)

    def _apply_in(self, lanes: Lanes, subscription: Subscription) -> bool:
        """Hand on what there is and acknowledge what is done; False when there was nothing, or no room, for more."""
        deliveries = subscription.fetch(lanes.room) if lanes.room else []
        lanes.hand_over(deliveries)
        if lanes.has_set_aside():
            self._retries.expect()
        self._acknowledge(subscription, lanes.settled())
        return bool(deliveries)

    def _acknowledge(self, subscription: Subscription, position: int | None) -> None:
        """Tell the bus what lanes have committed; bookmarks come after, for no transaction covers all of it."""
        if position is not None:
            self._bookmarks.keep(subscription.bookmarks(position))
            subscription.ack(position)

    def _subscribed(self) -> Subscription | None:
        if not self._is_registered:
            register_all(self._bus, self._config)
            self._is_registered = True
        if self._subscription is None and self._inboxes[0].types:
            self._subscription = self._bus.resume(self._group, self._bookmarks.kept)
            if self._subscription is not None and len(self._inboxes) > 1:
                window = _BATCHES_AHEAD * len(self._inboxes) * self._config.consumer_batch
                self._lanes = Lanes(self._inboxes, window=window, wake=self.wake)
            self._flushed_at = clock.monotonic()
        return self._subscription

    def _flush(self, subscription: Subscription) -> timedelta:
        """Make acknowledgements durable once in a while; return how long until the next time."""
        if not subscription.unflushed:
            return self._config.safety_poll
        due_in = self._config.ack_interval.total_seconds() - (clock.monotonic() - self._flushed_at)
        if due_in > 0:
            return timedelta(seconds=due_in)
        subscription.flush()
        crash_point("inbox.after_ack")
        self._flushed_at = clock.monotonic()
        return self._config.safety_poll

    def _leave(self) -> None:
        lanes, self._lanes = self._lanes, None
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            try:
                with closing(subscription):
                    self._acknowledge(subscription, lanes.close() if lanes is not None else None)
            except (BusUnavailable, DatabaseError) as error:
                log.warning("consumers.ack_lost", extra={"error": str(error)})
