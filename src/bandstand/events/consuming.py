"""The consumer loop: bus to inbox, one loop per group however many consumers it has."""

import logging
import threading
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
        self._inbox = Inbox(mine.consumers, self._config, group=self._group)
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
            self._waiter.close()
            self._leave()

    def wake(self) -> None:
        """End a wait."""
        self._waiter.wake()

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
        deliveries = subscription.fetch(self._inbox.size)
        if deliveries:
            if self._inbox.apply(deliveries, subscription.bookmarks(deliveries[-1].position)):
                self._retries.expect()
            subscription.ack(deliveries[-1].position)
        flush_in = self._flush(subscription)
        if not deliveries and not subscription.unflushed:
            # Nothing that was ever applied can be redelivered from here, so old inbox rows may go.
            self._housekeeping.run_due()
        return _NOW if deliveries else min(due_in, flush_in)

    def _subscribed(self) -> Subscription | None:
        if not self._is_registered:
            register_all(self._bus, self._config)
            self._is_registered = True
        if self._subscription is None and self._inbox.types:
            bookmarks = Bookmarks(self._group, using=self._config.database)
            self._subscription = self._bus.resume(self._group, bookmarks.kept)
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
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            try:
                subscription.close()
            except BusUnavailable as error:
                log.warning("consumers.ack_lost", extra={"error": str(error)})
