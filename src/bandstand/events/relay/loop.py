"""The loop around the relay: when to move, when to rest, what to do while bus or database are down."""

import logging
import threading
from datetime import timedelta

from django.db import DatabaseError

from bandstand.config import section
from bandstand.events import wakeups
from bandstand.events.backends import BusUnavailable
from bandstand.events.config import EventsConfig
from bandstand.events.history import event_store, publisher
from bandstand.events.measures import RelayGauges
from bandstand.events.relay.crew import Crew
from bandstand.events.retention import DeliveredPurge, Housekeeping, store_purge
from bandstand.events.retrying import outage_pause
from bandstand.lifecycle import Loop

__all__ = ["RelayLoop"]

log = logging.getLogger(__name__)


class RelayLoop(Loop):
    """Runs the relay of this service whenever the outbox has rows."""

    name = "relay"

    def __init__(self) -> None:
        self._config = section(EventsConfig)
        self._waiter = wakeups.relay_waiter()
        self._crew = Crew(publisher(), self._config)
        self._gauges = RelayGauges(self._config)
        self._housekeeping = Housekeeping(DeliveredPurge(self._config), store_purge(event_store(), self._config))
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
            self._crew.stop()

    def wake(self) -> None:
        """End a wait."""
        self._waiter.wake()

    def _turn(self, stop: threading.Event) -> timedelta | None:
        try:
            self._gauges.measure()  # first: it is most wanted while the bus is down
            moved = self._crew.run_once()
            if not moved:
                self._crew.mark_if_due()
            self._housekeeping.run_due()
        except (BusUnavailable, DatabaseError) as error:
            self._failures += 1
            log.warning("relay.interrupted", extra={"error": str(error), "failures": self._failures})
            stop.wait(outage_pause(self._failures, self._config).total_seconds())
            return None
        self._failures = 0
        if moved:
            return None
        due_in = self._crew.mark_due_in()
        return self._config.safety_poll if due_in is None else max(due_in, timedelta(milliseconds=1))
