"""The relays of one process: one per partition that is its share while other processes have theirs."""

import logging
from datetime import timedelta

from django.db import DatabaseError

from bandstand.events.config import EventsConfig
from bandstand.events.history import Publisher
from bandstand.events.leases import Presence
from bandstand.events.partitions import Partition
from bandstand.events.relay.moving import Relay

__all__ = ["Crew"]

log = logging.getLogger(__name__)


class Crew:
    """Shares the partitions evenly with the processes present; one that dies is missed when its lease runs out.

    With one partition there is nothing to share: whoever has work to do tries for the lease, and nobody writes a sign
    of life.
    """

    def __init__(self, bus: Publisher, config: EventsConfig) -> None:
        count = config.relay_partitions
        self._relays = [
            Relay(bus, config, partition=Partition(number=number, of=count)) for number in range(max(1, count))
        ]
        self._presence = Presence("relay", lasting=config.relay_lease, using=config.database) if count > 1 else None
        self._share = self._relays

    def run_once(self) -> int:
        """Move a batch of each partition of ours and return how many events the bus accepted. Raises BusUnavailable."""
        self._take_share()
        return sum(relay.run_once() for relay in self._share)

    def mark_if_due(self) -> None:
        """Write down what the bus has accepted where that has waited long enough."""
        for relay in self._share:
            if relay.mark_due_in() == timedelta(0):
                relay.mark()

    def mark_due_in(self) -> timedelta | None:
        """How long marking may still wait; None when there is nothing to mark."""
        found = [due_in for relay in self._share if (due_in := relay.mark_due_in()) is not None]
        return min(found, default=None)

    def stop(self) -> None:
        """Mark what is left and let others take over at once."""
        for relay in self._relays:
            relay.stop()
        if self._presence is not None:
            try:
                self._presence.leave()
            except DatabaseError as error:  # then the others miss it when its lease runs out
                log.warning("relay.presence_left_behind", extra={"error": str(error)})

    def _take_share(self) -> None:
        if self._presence is None:
            return
        place, places = self._presence.place()
        share = [relay for number, relay in enumerate(self._relays) if number % places == place]
        for relay in self._share:
            if relay not in share:
                relay.stop()
        self._share = share
