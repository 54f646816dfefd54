"""The maintenance loop that gives expired reservations' units back."""

import threading

from bandstand.lifecycle import Loop
from inventory.commands import expire_due_reservations
from inventory.config import inventory_config

__all__ = ["ExpiryLoop"]

_BATCH = 100


class ExpiryLoop(Loop):
    """Expire due reservations once per interval, and without pause while there is a backlog."""

    name = "expiry"

    def run(self, stop: threading.Event) -> None:
        """Work until *stop* is set; a reservation is expired whole or not at all."""
        interval = inventory_config().expiry_interval.total_seconds()
        while not stop.is_set():
            with self.iteration():
                expired = expire_due_reservations(limit=_BATCH)
            if expired < _BATCH:
                stop.wait(interval)
