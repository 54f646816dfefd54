"""The loop that forgets idempotency keys whose time is over."""

import threading
from datetime import timedelta

from bandstand.lifecycle import Loop
from bandstand.web import idempotency

__all__ = ["MaintenanceLoop"]

_EVERY = timedelta(minutes=5)


class MaintenanceLoop(Loop):
    """Purge in batches, so that no transaction holds the database for long."""

    name = "maintenance"
    stall_after = _EVERY * 2

    def run(self, stop: threading.Event) -> None:
        """Purge every five minutes until *stop*."""
        while not stop.wait(_EVERY.total_seconds()):
            with self.iteration():
                while idempotency.purge() and not stop.is_set():
                    self.beat()
