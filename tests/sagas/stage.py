"""The stage of the saga tests: a shop, and a worker turned by hand under a held clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from bandstand.sagas import host
from bandstand.testing.clock import HeldClock, held_clock
from bandstand.testing.sagas import SagaStage
from tests.project.models import OrderNote
from tests.sagas.shop import Checkout, Participants, Shop, open_shop

__all__ = ["Stage", "on_stage"]


class Stage(SagaStage):
    """A shop whose network misbehaves as it is told."""

    def __init__(self, held: HeldClock, participants: Participants | None = None) -> None:
        super().__init__(held)
        self.shop = open_shop(Shop(participants or Participants()))

    def start(self, order: str) -> UUID:
        return self.begin(Checkout, order)


@contextmanager
def on_stage() -> Iterator[Stage]:
    """One service with a worker, while time stands still."""
    OrderNote.objects.all().delete()
    with held_clock() as held:
        try:
            yield Stage(held)
        finally:
            host.install_worker(None)
