"""A runner is frozen past its lease, with sagas and calls in its hands, and wakes up when another has finished them."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bandstand.chaos.audit.facts import FINAL_SAGA, Saga
from bandstand.sagas.models import SagaExecution
from tests.chaos.provider_process import ProviderProcess
from tests.fleet.shops import Customer, Shop
from tests.fleet_unit.fleets import until
from tests.proofs import books
from tests.proofs.outage import own_provider
from tests.proofs.witness import Witness

REPLICAS = ("orders-1", "orders-2")
ORDERS, CALLS = 12, 2
TABLE = SagaExecution._meta.db_table


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A stopped runner and what it held at that moment: saga -> (order, epoch)."""

    name: str
    pid: int
    ports: set[int]
    held: dict[str, tuple[str, int]]

    @property
    def ids(self) -> list[str]:
        """The sagas and their orders."""
        return [*self.held, *(order for order, _ in self.held.values())]


@dataclass(frozen=True, kw_only=True)
class Theatre:
    """Two replicas of orders on one database, every participant real, and a provider that can be made to wait."""

    shop: Shop
    provider: ProviderProcess
    witness: Witness

    def hold_provider(self, *, held: bool) -> None:
        """Let it take requests and not answer, or go on."""
        os.kill(self.provider.process.pid, signal.SIGSTOP if held else signal.SIGCONT)

    def try_to_freeze(self, direction: str) -> Frozen | None:
        """Stop a runner whose calls in *direction* are under way; None where none has enough of them.

        One that was met within a transaction keeps its rows locked, so nobody could take them over: it goes on.
        """
        workers = [each for each in self.shop.status["processes"] if each["role"] == "worker"]
        for worker in (each for each in workers if each["name"] in REPLICAS):
            if len(self._calling(worker["pid"], direction)) < CALLS:
                continue
            os.kill(worker["pid"], signal.SIGSTOP)
            if self._calling(worker["pid"], direction) and not self.witness.has_open_transaction(worker["pid"]):
                ports, held = self.witness.ports_of(worker["pid"]), self._held_by(worker["pid"])
                return Frozen(name=worker["name"], pid=worker["pid"], ports=ports, held=held)
            os.kill(worker["pid"], signal.SIGCONT)
        return None

    def _calling(self, pid: int, direction: str) -> set[str]:
        calls = books.calls_under_way(self.shop.status)
        return {saga for saga in self._held_by(pid) if saga in calls and calls[saga].direction == direction}

    def _held_by(self, pid: int) -> dict[str, tuple[str, int]]:
        rows = self.witness.rows(f"SELECT id::text, business_key, epoch, owner::text FROM {TABLE}")
        owners = {row[3] for row in rows if row[3]}
        ports = self.witness.ports_of(pid)
        notes = [note for note in self.witness.written(owners) if note.relation == TABLE and note.client_port in ports]
        own = {note.content["owner"] for note in notes}
        return {saga: (order, epoch) for saga, order, epoch, owner in rows if owner in own}

    def ended(self, sagas: dict[str, tuple[str, int]]) -> bool:
        """Whether all of them have."""
        states = {saga.saga_id: saga.state for saga in self._sagas()}
        return all(states[saga] in FINAL_SAGA for saga in sagas)

    def all_turned_back(self) -> bool:
        """Whether no saga goes forward: a wish waits for the answer to a capture, which may be a yes."""
        return all(saga.state not in ("running", "waiting") for saga in self._sagas())

    def _sagas(self) -> list[Saga]:
        return list(books.rows(self.shop.status, "orders", Saga))

    def epochs(self) -> dict[str, int]:
        """Of every saga."""
        return {saga.saga_id: saga.epoch for saga in self._sagas()}

    def lost_by(self, name: str) -> set[str]:
        """The sagas of which that replica has said that it lost them."""
        lines = (self.shop.data / "logs" / f"{name}.log").read_text().splitlines()
        told = [json.loads(line) for line in lines if '"saga.lease_lost"' in line]
        return {line["saga_id"] for line in told}


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    folder: Path = tmp_path_factory.mktemp("frozen")
    shop = Shop(folder, profile="production-like", bus="valkey", replicas={"orders": 2})
    with own_provider(folder / "ledger.jsonl") as provider:
        try:
            shop.up(PAYMENT_PROVIDER_URL=provider.url)
            witness = Witness(shop.status["services"]["orders"]["database"], "bandstand_sagas%", "orders_order%")
            yield Theatre(shop=shop, provider=provider, witness=witness)
            witness.close()
        finally:
            shop.down()


def thaw_when_others_have_finished(theatre: Theatre, frozen: Frozen) -> int:
    """Let the other runner end what the frozen one held, then wake that one up; the mark of the moment between."""
    try:
        theatre.hold_provider(held=False)
        until(lambda: theatre.ended(frozen.held), seconds=25, what="the end of what the frozen runner held", pause=0.2)
        return theatre.witness.mark()
    finally:
        os.kill(frozen.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("direction", "end"), [("do", ("confirmed", "")), ("undo", ("cancelled", "requested"))], ids=["forward", "undoing"]
)
def test_a_runner_that_wakes_up_too_late_writes_nothing(theatre: Theatre, direction: str, end: tuple[str, str]) -> None:
    customer = theatre.shop.customer()
    theatre.hold_provider(held=True)
    placed = [customer.order()[1]["id"] for _ in range(ORDERS)]
    if direction == "undo":
        turn_back(customer, placed)
        until(theatre.all_turned_back, seconds=60, what="the way back of every order", pause=0.2)
    frozen = until(
        lambda: theatre.try_to_freeze(direction), seconds=40, what="a runner with calls in its hands", pause=0.1
    )
    before = theatre.witness.written(frozen.ids)
    mark = thaw_when_others_have_finished(theatre, frozen)

    def has_tried() -> bool:
        is_told = theatre.lost_by(frozen.name) >= frozen.held.keys()
        return is_told or bool(theatre.witness.written(frozen.ids, after=mark))

    until(has_tried, seconds=20, what="the loss of all that it held")
    assert [note for note in before if note.client_port in frozen.ports], "the witness knows the runner's own writes"
    assert theatre.witness.written(frozen.ids, after=mark) == []
    epochs = theatre.epochs()
    assert [saga for saga, (_, epoch) in frozen.held.items() if epochs[saga] <= epoch] == []
    ends = [customer.end_of(order) for order in placed]
    assert {(order["status"], order["reason"]) for order in ends} == {end}
    theatre.shop.audit()


def turn_back(customer: Customer, placed: list[str]) -> None:
    """Cancel the orders while nobody knows whether they are paid."""
    for order in placed:
        assert customer.insist("POST", f"/orders/{order}/cancel/")[0] == 202
