"""Looking for journeys that have stalled, counting them, and forgetting those that ended long ago."""

import threading
from datetime import timedelta

from bandstand import clock
from bandstand.config import section
from bandstand.lifecycle import Loop
from bandstand.sagas.choreography import store
from bandstand.sagas.choreography.config import ChoreographiesConfig
from bandstand.sagas.choreography.reports import report_stalled

__all__ = ["WatchLoop"]

_MEASURE_EVERY = timedelta(seconds=5)


class WatchLoop(Loop):
    """Look every so often; several processes may, for each journey is judged under its lock."""

    name = "choreographies"

    def __init__(self) -> None:
        self._config = section(ChoreographiesConfig)
        self._measured_at: float | None = None

    def run(self, stop: threading.Event) -> None:
        """Work until *stop*; a batch of journeys is the unit of work."""
        while not stop.is_set():
            with self.iteration():
                found = self.turn()
            if not found:
                stop.wait(self._config.look_every.total_seconds())

    def turn(self) -> int:
        """Mark what is overdue, measure, purge; return how many were judged."""
        found = store.look()
        now = clock.monotonic()
        if self._measured_at is None or now - self._measured_at >= _MEASURE_EVERY.total_seconds():
            self._measured_at = now
            report_stalled(store.stalled())
            store.purge()
        return found
