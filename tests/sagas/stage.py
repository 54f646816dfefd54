"""A worker turned by hand, under a held clock, with calls that the test lets happen."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection

from bandstand.sagas import SagaExecution, SagaStepLog, starting
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.runner import Runner
from bandstand.testing.clock import HeldClock, held_clock
from tests.sagas.shop import Checkout, ManualPool, Participants, Shop, open_shop

__all__ = ["Stage", "on_stage"]


class Stage:
    """One service with a saga worker: `drive` turns it until nothing is left to do at this moment."""

    def __init__(self, held: HeldClock, participants: Participants | None = None) -> None:
        self.clock = held
        self.shop = open_shop(Shop(participants or Participants()))
        self.employ()

    def employ(self) -> Runner:
        """Start a new worker; the one before is forgotten as by a crash, its calls lost."""
        self.pool = ManualPool()
        self.worker = Runner(config=SagasConfig(), pool=self.pool)
        starting.install_worker(self.worker)
        return self.worker

    def start(self, order: str) -> UUID:
        saga_id = starting.start(Checkout, order)
        assert saga_id is not None
        return saga_id

    def drive(self) -> None:
        """Make every call and commit every wave that is due now."""
        self.worker.turn()
        while self.pool.run():
            self.worker.turn()

    def settle(self, saga_id: UUID, *, seconds: float = 600) -> SagaExecution:
        """Drive on, second by second of the held clock, until the saga has ended."""
        for _ in range(int(seconds)):
            self.drive()
            if (row := self.row(saga_id)).lease_until is None:
                return row
            self.clock.advance(1)
        raise AssertionError(f"still {row.status} at {row.direction} {row.step}: {row.error}")

    def row(self, saga_id: UUID) -> SagaExecution:
        return SagaExecution.objects.get(pk=saga_id)

    def log(self, saga_id: UUID) -> list[str]:
        lines = SagaStepLog.objects.filter(saga_id=saga_id).order_by("id")
        return [f"{line.direction} {line.step} {line.attempt} {line.outcome}" for line in lines]


@contextmanager
def on_stage() -> Iterator[Stage]:
    """One service with a worker, while time stands still."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS test_orders")
    with held_clock() as held:
        try:
            yield Stage(held)
        finally:
            starting.install_worker(None)
