"""The loop that lets moments come: delayed events and schedules."""

import logging
import threading
from datetime import datetime, timedelta

from django.db import DatabaseError

from bandstand import clock
from bandstand.config import section
from bandstand.events import wakeups
from bandstand.events.config import EventsConfig
from bandstand.events.leases import Leadership
from bandstand.events.retrying import outage_pause
from bandstand.events.scheduling.cron import Timetable
from bandstand.events.scheduling.delayed import LOOP, first_due, release_due
from bandstand.lifecycle import Loop

__all__ = ["ScheduleLoop"]

log = logging.getLogger(__name__)


class ScheduleLoop(Loop):
    """Any number of processes may run it; one of them moves delayed events, so that their order is kept."""

    name = LOOP

    def __init__(self) -> None:
        self._config = section(EventsConfig)
        self._waiter = wakeups.waiter(self.name)
        self._leadership = Leadership(LOOP, lasting=self._config.relay_lease, using=self._config.database)
        self._timetable = Timetable(self._config)
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Serve until *stop*."""
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

    def _leave(self) -> None:
        try:
            self._leadership.release()
        except DatabaseError as error:  # then the lease runs out by itself
            log.warning("schedule.lease_kept", extra={"error": str(error)})

    def _turn(self, stop: threading.Event) -> timedelta:
        try:
            moments = [self._timetable.run_due(), self._move()]
        except DatabaseError as error:
            self._failures += 1
            log.warning("schedule.interrupted", extra={"error": str(error), "failures": self._failures})
            stop.wait(outage_pause(self._failures, self._config).total_seconds())
            return timedelta(0)
        self._failures = 0
        now = clock.database_now(self._config.database)
        waits = [moment - now for moment in moments if moment is not None]
        return max(timedelta(0), min([self._config.safety_poll, *waits]))

    def _move(self) -> datetime | None:
        """Move what is due; return when to look again."""
        using = self._config.database
        due, now = first_due(using=using), clock.database_now(using)
        if due is None or due > now:
            return due
        if not self._leadership.hold():
            return now + self._config.safety_poll
        release_due(limit=self._config.batch, using=using)
        return first_due(using=using)
