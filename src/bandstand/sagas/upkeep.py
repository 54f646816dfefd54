"""What the sagas of a service need beside their worker: measuring them, and forgetting those that ended long ago."""

import logging
import threading
from datetime import timedelta

from django.db import Error

from bandstand import clock
from bandstand.config import section
from bandstand.lifecycle import Loop
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.measures import Measures
from bandstand.sagas.operations.retention import purge_batch

__all__ = ["Upkeep"]

log = logging.getLogger(__name__)
_LOOK = 1.0
_MEASURE_EVERY = 15.0
_MEASURE_SHARE = 0.01
"""Measuring takes no more than this part of the time, however many sagas live."""
_PURGE_EVERY = timedelta(minutes=5).total_seconds()


class Upkeep(Loop):
    """Measure every 15 seconds; where `RETENTION` is set, purge every five minutes in batches."""

    name = "saga-upkeep"

    def __init__(self) -> None:
        self._measures = Measures()
        self._measure_at = self._purge_at = clock.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Do what is due until *stop* is set."""
        while not stop.wait(_LOOK):
            with self.iteration():
                try:
                    self.turn(stop)
                except Error:  # the database is away: what is due is done the next time
                    log.warning("saga.upkeep_failed", exc_info=True)

    def turn(self, stop: threading.Event) -> None:
        """Do what is due."""
        began = clock.monotonic()
        if began >= self._measure_at:
            self._measure_at = began + _MEASURE_EVERY
            self._measures.take()
            ended = clock.monotonic()
            self._measure_at = max(self._measure_at, ended + (ended - began) / _MEASURE_SHARE)
        kept = section(SagasConfig).retention
        if kept is not None and clock.monotonic() >= self._purge_at:
            self._purge_at = clock.monotonic() + _PURGE_EVERY
            self._purge(kept, stop)

    def _purge(self, kept: timedelta, stop: threading.Event) -> None:
        before, total = clock.database_now() - kept, 0
        while not stop.is_set() and (number := purge_batch(before)):
            self.beat()
            total += number
        if total:
            log.info("saga.purged", extra={"sagas": total})
