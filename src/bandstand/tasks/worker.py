"""The worker of tasks: one thread that claims and writes down, a few that run the functions.

Each turn writes down what has ended since the last one, then claims what there is room for: one commit each, however
many tasks they carry. A task is held under a lease; a worker that dies leaves its tasks to be run again when that ends.
"""

import logging
import os
import queue
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import DatabaseError

from bandstand import clock
from bandstand.config import section
from bandstand.events import wakeups
from bandstand.events.retention import Housekeeping
from bandstand.lifecycle import Loop
from bandstand.lifecycle.crashpoints import crash_point, register_crash_points
from bandstand.tasks import store
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.execution import execute, report
from bandstand.tasks.measures import TaskGauges
from bandstand.tasks.pacing import Pace
from bandstand.tasks.pool import Pool
from bandstand.tasks.retention import purge
from bandstand.tasks.store import Claim, Ended

__all__ = ["TasksLoop", "worker_name"]

log = logging.getLogger(__name__)

register_crash_points(["tasks.after_claim", "tasks.after_run", "tasks.after_end"])

_NOW = timedelta(0)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


def worker_name() -> str:
    """What a row says of the process that runs it."""
    return f"{socket.gethostname()}:{os.getpid()}".replace(" ", "_")


class TasksLoop(Loop):
    """Run the tasks of this service; any number of workers share them."""

    name = "tasks"

    def __init__(self) -> None:
        self._config = section(TasksConfig)
        self._using = self._config.database
        self._worker = worker_name()
        self._waiter = wakeups.waiter(self.name)
        self._held: dict[UUID, Claim] = {}
        self._ended: list[Ended] = []
        self._arrivals: queue.SimpleQueue[tuple[Ended, float]] = queue.SimpleQueue()
        self._pool = Pool(self._config.threads, self._work, self._arrived)
        self._pace = Pace(threads=self._config.threads, batch=self._config.batch, hold=self._config.hold)
        self._gauges = TaskGauges(using=self._using)
        self._housekeeping = Housekeeping(lambda: purge(self._config))
        self._renew_at = clock.monotonic()
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Serve until *stop*; then give back what is not begun and wait for the rest."""
        try:
            while not stop.is_set():
                with self.iteration():
                    pause = self._turn(stop)
                if pause:
                    self._waiter.wait(pause)
            self._leave()
        finally:
            self._waiter.close()

    def wake(self) -> None:
        """End a wait."""
        self._waiter.wake()

    def _turn(self, stop: threading.Event) -> timedelta:
        """Do what there is to do; return how long to wait for more."""
        try:
            self._settle()
            self._renew()  # before a claim, which would take what lapsed while the database was away, ours as well
            claimed = self._claim()
            self._gauges.measure()
            self._housekeeping.run_due()
            due_in = self._due_in()
        except DatabaseError as error:  # what has ended is kept and written down when the database is back
            log.warning("tasks.interrupted", extra={"error": str(error), "failures": self._failures})
            stop.wait(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._failures))
            self._failures = min(self._failures + 1, 10)
            return _NOW
        self._failures = 0
        return _NOW if claimed else due_in

    # ---- the threads

    def _work(self, claim: Claim) -> tuple[Ended, float]:
        started = clock.monotonic()
        ended = execute(claim)
        crash_point("tasks.after_run")
        return ended, clock.monotonic() - started

    def _arrived(self, outcome: tuple[Ended, float]) -> None:
        self._arrivals.put(outcome)
        self._waiter.wake()

    # ---- what each turn does

    def _settle(self) -> None:
        with suppress(queue.Empty):
            while True:
                ended, seconds = self._arrivals.get_nowait()
                self._pace.note(seconds)
                self._ended.append(ended)
        if not self._ended:
            return
        lost = store.end(self._ended, using=self._using)
        crash_point("tasks.after_end")
        for ended in self._ended:
            if self._held.get(ended.claim.id) is ended.claim:  # else it was claimed again meanwhile
                del self._held[ended.claim.id]
            if ended.claim.id in lost:
                log.warning("task.fenced", extra={"task": ended.claim.task, "task_id": str(ended.claim.id)})
            else:
                report(ended)
        self._ended = []

    def _claim(self) -> int:
        room = self._pace.target - len(self._held)
        if room * 2 < self._pace.target:
            return 0
        store.wake(using=self._using)
        claims = store.claim(self.name, self._worker, limit=room, lease=self._config.lease, using=self._using)
        if claims:
            crash_point("tasks.after_claim")
            self._held.update((claim.id, claim) for claim in claims)
            self._pool.submit(claims)
        return len(claims)

    def _renew(self) -> None:
        now = clock.monotonic()
        if now >= self._renew_at:
            store.renew(self._held.values(), lease=self._config.lease, using=self._using)
            self._renew_at = now + self._config.lease.total_seconds() / 3

    def _due_in(self) -> timedelta:
        """Until the next moment of a task, the next renewal or the safety poll."""
        longest = min(self._config.safety_poll, timedelta(seconds=max(0.0, self._renew_at - clock.monotonic())))
        moment = store.next_moment(using=self._using)
        if moment is None:
            return longest
        return max(timedelta(milliseconds=1), min(longest, moment - clock.database_now(self._using)))

    def _leave(self) -> None:
        """Give back what no thread has begun; wait for the rest within `drain`, keeping its leases."""
        deadline = clock.monotonic() + self._config.drain.total_seconds()
        unbegun = self._pool.withdraw()
        self._pool.close()
        for claim in unbegun:
            self._held.pop(claim.id, None)
        self._if_possible(partial(store.release, unbegun, using=self._using))
        while self._held and clock.monotonic() < deadline:
            self._if_possible(self._settle)
            self._if_possible(self._renew)
            if self._held:
                self._waiter.wait(timedelta(milliseconds=200))
        if self._held:
            log.warning("tasks.left_running", extra={"tasks": sorted(claim.task for claim in self._held.values())})

    def _if_possible(self, do: Callable[[], object]) -> None:
        """Do it unless the database is away: the leases of what is left run out by themselves."""
        try:
            with self.iteration():
                do()
        except DatabaseError as error:
            log.warning("tasks.interrupted", extra={"error": str(error)})
