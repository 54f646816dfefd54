"""The real saga worker on the real tables, turned by hand under a held clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bandstand import clock
from bandstand.sagas import Saga, SagaExecution, SagaStepLog, host, starting
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.runner import Runner
from bandstand.testing.clock import HeldClock, held_clock
from bandstand.testing.sagas.calls import CallsByHand

__all__ = ["NotEnded", "SagaStage", "saga_stage"]

_QUIET_TURNS = 3
"""A wave may say something to another saga, which says something back."""


class NotEnded(AssertionError):
    """A saga has not ended within the time that it was given."""


class SagaStage:
    """One service with a saga worker: `drive` turns it until nothing is left to do at this moment.

    It needs real transactions: `transactional_db`, or `django_db(transaction=True)`.
    """

    def __init__(self, held: HeldClock, *, config: SagasConfig | None = None) -> None:
        self.clock = held
        self._config = config or SagasConfig()
        self.employ()

    def employ(self) -> Runner:
        """Start a new worker; the one before is forgotten as by a crash, its calls lost."""
        self.pool = CallsByHand()
        self.worker = Runner(config=self._config, pool=self.pool)
        host.install_worker(self.worker)
        return self.worker

    def begin(self, saga: type[Saga] | Saga, event: Any) -> UUID:
        """Start *saga*; raises AssertionError when one has run for the same business key."""
        saga_id = starting.start(saga, event)
        if saga_id is None:
            raise AssertionError(f"a {saga.name} has run for the same business key")
        return saga_id

    def drive(self, *, calls: int | None = None) -> None:
        """Make every call, or at most so many of them, and commit every wave that is due now."""
        quiet, made = 0, 0
        while quiet < _QUIET_TURNS:
            self.worker.turn()
            is_allowed = calls is None or made < calls
            made += 1
            quiet = 0 if is_allowed and self.pool.run() else quiet + 1

    def settle(self, saga_id: UUID, *, seconds: float = 600) -> SagaExecution:
        """Drive on, second by second of the held clock or up to what it waits for, until the saga has ended."""
        left = seconds
        while left > 0:
            self.drive()
            row = self.row(saga_id)
            if row.lease_until is None:
                return row
            left -= self.wait_for(row.next_at)
        raise NotEnded(f"still {row.status} at {row.direction} {row.step}: {row.error}")

    def wait_for(self, moment: datetime | None, *, at_least: float = 1.0) -> float:
        """Let the time pass up to *moment*, for some seconds at least; returns how many they were."""
        wait = max(at_least, (moment - clock.now()).total_seconds() if moment else at_least)
        self.clock.advance(timedelta(seconds=wait))
        return wait

    def row(self, saga_id: UUID) -> SagaExecution:
        """The saga as it is stored."""
        return SagaExecution.objects.get(pk=saga_id)

    def log(self, saga_id: UUID) -> list[str]:
        """Its history, as `do reserve 1 ok`; oldest line first, without the one that begins it."""
        lines = SagaStepLog.objects.filter(saga_id=saga_id).exclude(outcome="begun").order_by("id")
        return [f"{line.direction} {line.step} {line.attempt} {line.outcome}" for line in lines]


@contextmanager
def saga_stage(config: SagasConfig | None = None) -> Iterator[SagaStage]:
    """A stage for the block, while time stands still; afterwards the process has no worker."""
    with held_clock() as held:
        try:
            yield SagaStage(held, config=config)
        finally:
            host.install_worker(None)
