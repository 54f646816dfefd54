"""The examples of docs/reference/sagas.md, run as they stand there; each node in a saga of its own."""

from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from bandstand import clock
from bandstand.events import Event, publish
from bandstand.sagas import Saga, SagaExecution, SagaStep, starting
from bandstand.sagas.checks import check_saga
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.reconciling import reconcile
from bandstand.sagas.registry import sagas
from bandstand.sagas.signals import SignalName, signal
from bandstand.sagas.steps import Node
from bandstand.testing.participants import FakeParticipant, Fault
from tests import pages
from tests.sagas.stage import Stage

PAGE = "reference/sagas.md"


class OrderPlaced(Event, name="project.page_order_placed.v1", subject="order"):
    order: UUID
    total_minor: int


class ParcelWeighed(Event, name="project.page_parcel_weighed.v1", subject="order"):
    order: str
    grams: int


class PackParcel(Event, name="project.page_pack_parcel.v1", subject="key"):
    key: str
    order: UUID


class UnpackParcel(Event, name="project.page_unpack_parcel.v1", subject="key"):
    key: str


class ParcelPacked(Event, name="project.page_parcel_packed.v1", subject="key"):
    key: str
    parcel: str


class ParcelUnpacked(Event, name="project.page_parcel_unpacked.v1", subject="key"):
    key: str


class InsuranceSaga(Saga):
    """What the page's order is insured by."""

    name = "page_insurance"
    steps = [SagaStep("sign", do=lambda call: {"policy": f"P-{call.key[-4:]}"}, no_undo="unsigned policies lapse")]

    def begin(self, event: UUID) -> tuple[str, dict[str, str]]:
        return str(event), {"order": str(event)}


@dataclass(frozen=True, kw_only=True)
class Everything:
    """The context of the sagas made of the page's nodes."""

    order: UUID
    total_minor: int = 500
    reserved: str = ""
    parcel: str = ""
    grams: int = 0
    policy: str = ""
    cities: tuple[str, ...] = ("Rome", "Bari")
    booked: dict[str, str] = field(default_factory=dict)


class Books:
    """The services that the page calls, and this one's orders."""

    def __init__(self) -> None:
        self.held, self.paid, self.hotels, self.charges = (
            FakeParticipant(name) for name in ("stock", "payment", "hotel", "charge")
        )
        self.orders: list[tuple[Any, ...]] = []
        self.refunds: list[str] = []

    def names(self) -> dict[str, Any]:
        return {
            "inventory": SimpleNamespace(
                reserve=lambda key, order: self.held.create(key, str(order)), release=self.held.cancel
            ),
            "payments": SimpleNamespace(
                capture=lambda key, amount: self.paid.create(key, {"minor": amount}), cancel=self.paid.cancel
            ),
            "hotels": SimpleNamespace(
                book=lambda key, city: self.hotels.create(key, city)["hotel"], cancel=self.hotels.cancel
            ),
            "provider": SimpleNamespace(
                charge=lambda key, amount: self.charges.create(key, amount) and None,
                refund=lambda effect, key: self.charges.cancel(effect) and self.refunds.append(key),
                keys_since=lambda _: {key for _, key in self.charges.calls if self.charges.effects(key)},
                charge_of=lambda key: self.charges.query(key) == "applied",
            ),
            "orders": SimpleNamespace(
                confirm=lambda order: self.orders.append(("confirmed", order)),
                close=lambda key, status, reason: self.orders.append((key, status, reason)),
            ),
        }


BOOKS = Books()


def _run() -> dict[str, Any]:
    """Run the page; what it takes for granted comes from above."""
    found: dict[str, Any] = {"__name__": "page.sagas", **BOOKS.names()}
    found |= {cls.__name__: cls for cls in (OrderPlaced, ParcelWeighed, PackParcel, UnpackParcel)}
    found |= {cls.__name__: cls for cls in (ParcelPacked, ParcelUnpacked, InsuranceSaga)}
    found |= {"print_statement": lambda _: None, "Account": SimpleNamespace, "Line": OneLine}
    for block in pages.blocks(PAGE):
        if "signal(" not in block:  # said to a saga that lives: below
            declared, _, started = block.partition("\nstart(")
            exec(compile(declared, PAGE, "exec"), found)
            assert not started or started.startswith("StatementSaga")
    return found


@dataclass(frozen=True)
class OneLine:
    """A line of an order."""

    sku: str
    quantity: int


FOUND = _run()


@pytest.fixture(autouse=True)
def books() -> Books:
    """Empty books, under the names that the page's functions see."""
    fresh = Books()
    FOUND.update(fresh.names())
    return fresh


def saga_of(*nodes: Node, deadline: timedelta | None = timedelta(days=3)) -> type[Saga]:
    """A saga of these nodes, declared by the name of the first."""
    name = f"page_{nodes[0].name}"
    known = sagas.get(name)
    if known is not None:
        return type(known)

    def begin(_: Saga, order: UUID) -> tuple[str, Everything]:
        return str(order), Everything(order=order)

    facts = {"name": name, "context": Everything, "steps": nodes, "deadline": deadline, "begin": begin}
    return type(name, (Saga,), facts)


def begun(stage: Stage, *nodes: Node) -> SagaExecution:
    """A saga of these nodes as far as it goes by itself; what the linter says of it is no fault."""
    saga = saga_of(*nodes)
    assert list(check_saga(saga())) == []
    saga_id = starting.start(saga, uuid4())
    assert saga_id is not None
    stage.drive()
    return stage.row(saga_id)


def say(event: Event) -> None:
    with transaction.atomic():
        publish(event)


def test_the_saga_at_the_top_completes(stage: Stage, books: Books) -> None:
    order = uuid4()
    say(OrderPlaced(order=order, total_minor=700))
    stage.drive()
    row = SagaExecution.objects.get(type="checkout")
    assert (row.status, row.version, row.business_key) == ("completed", 2, str(order))
    assert (books.held.standing(), books.paid.standing()) == (1, 1)
    assert books.orders == [("confirmed", order), (str(order), "completed", "")]


@pytest.mark.parametrize("name", ["CheckoutSaga", "SecondCheckoutSaga", "StatementSaga"])
def test_the_linter_finds_nothing_in_the_pages_sagas(name: str) -> None:
    assert list(check_saga(FOUND[name]())) == []


def test_remote_and_local_steps(stage: Stage, books: Books) -> None:
    row = begun(stage, FOUND["reserve"], FOUND["confirmed"])
    assert row.status == "completed"
    assert row.context_data["reserved"] == f"{row.pk}:reserve"


def test_a_foreign_provider_is_held_and_queried_before_its_step_counts_as_undone(stage: Stage, books: Books) -> None:
    books.charges.order("create", Fault.LOST_REQUEST, always=True)
    row = begun(stage, FOUND["charge"])
    assert row.status == "unknown"
    assert stage.settle(row.pk).status == "cancelled"
    assert [call for call, _ in books.charges.calls[-2:]] == ["query", "query"]
    log = stage.log(row.pk)
    assert [line for line in log if line.endswith("absent")] == ["undo charge 1 absent", "undo charge 2 absent"]


def test_a_foreign_charge_that_was_made_is_refunded(stage: Stage, books: Books) -> None:
    books.charges.order("create", Fault.LOST_REPLY, always=True)
    row = begun(stage, FOUND["charge"])
    assert stage.settle(row.pk).status == "cancelled"
    assert (books.charges.applied(), books.charges.standing()) == (1, 0)


def test_a_charge_that_comes_later_than_promised_is_found_and_refunded(stage: Stage, books: Books) -> None:
    books.charges.order("create", *[Fault.LATE] * 100)
    row = begun(stage, FOUND["charge"])
    assert stage.settle(row.pk).status == "cancelled"
    books.charges = forgetful = FakeParticipant("charge", has_tombstones=False)
    forgetful.create(f"{row.pk}:charge", 500)
    (late,) = reconcile(saga_of(FOUND["charge"])(), since=clock.now())
    assert late.undone
    stage.drive()
    assert (forgetful.standing(), books.refunds[-1]) == (0, f"{row.pk}:charge:late")


def test_a_command_is_answered_by_its_reply(stage: Stage) -> None:
    row = begun(stage, FOUND["pack"])
    assert (row.status, row.step) == ("waiting", "pack")
    say(ParcelPacked(key=f"{row.pk}:pack", parcel="P1"))
    row = stage.settle(row.pk)
    assert (row.status, row.context_data["parcel"]) == ("completed", "P1")


def test_a_command_without_an_answer_is_recalled(stage: Stage) -> None:
    row = begun(stage, FOUND["pack"])
    stage.clock.advance(61)
    stage.drive()
    assert stage.row(row.pk).status == "compensating"
    say(ParcelUnpacked(key=f"{row.pk}:pack"))
    assert stage.settle(row.pk).status == "cancelled"


def test_waits_are_ended_by_events_people_and_moments(stage: Stage) -> None:
    row = begun(stage, FOUND["weighed"], FOUND["released"], FOUND["cooled"], FOUND["noticed"])
    say(ParcelWeighed(order=row.business_key, grams=900))
    stage.drive()
    assert signal(row.type, row.business_key, SignalName.APPROVED, step="released", said_by="grace")
    stage.drive()
    assert stage.row(row.pk).step == "cool_off"
    row = stage.settle(row.pk, seconds=7200)
    assert (row.status, row.context_data["grams"]) == ("completed", 900)


def test_what_is_optional_is_gone_on_without(stage: Stage) -> None:
    row = begun(stage, FOUND["noticed"])
    assert row.status == "waiting"
    assert stage.settle(row.pk, seconds=3700).status == "completed"


def test_branches_join(stage: Stage) -> None:
    row = begun(stage, FOUND["both"])
    assert stage.row(row.pk).status == "waiting"
    say(ParcelWeighed(order=row.business_key, grams=900))
    stage.drive()
    assert stage.settle(row.pk, seconds=1900).status == "completed"


def test_each_item_has_a_unit_and_a_key_of_its_own(stage: Stage, books: Books) -> None:
    row = begun(stage, FOUND["rooms"])
    assert row.status == "completed"
    assert sorted(key.partition(":")[2] for _, key in books.hotels.calls) == ["book:Bari", "book:Rome"]
    assert set(row.context_data["booked"]) == {"Rome", "Bari"}


def test_a_child_ends_with_its_parent(stage: Stage) -> None:
    row = begun(stage, FOUND["insured"])
    child = SagaExecution.objects.get(type="page_insurance")
    assert (row.status, stage.settle(child.pk).status) == ("completed", "completed")
    assert row.context_data["policy"].startswith("P-")


def test_what_is_said_from_outside_is_heard(stage: Stage) -> None:
    row = begun(stage, FOUND["released"])
    (text,) = [block for block in pages.blocks(PAGE) if "signal(" in block]
    said = text.replace('"checkout"', f'"{row.type}"')
    grace = SimpleNamespace(get_username=lambda: "grace", has_perm=lambda name: name == "orders.change_order")
    names = {"order": row.business_key, "saga_id": row.pk, "CheckoutSaga": saga_of(FOUND["released"]), "grace": grace}
    exec(compile(said, PAGE, "exec"), names)
    assert [one.name for one in SagaSignal.objects.order_by("id")] == ["approved", "retry", "annotate", "cancel"]


def test_a_later_start_under_a_limit(stage: Stage) -> None:
    (text,) = [block for block in pages.blocks(PAGE) if "\nstart(" in block]
    account = SimpleNamespace(number="DE1", bank="B1")
    names = {**FOUND, "account": account, "tonight": clock.now() + timedelta(hours=8)}
    exec(compile("start(" + text.partition("\nstart(")[2], PAGE, "exec"), names)
    row = SagaExecution.objects.get(type="statement")
    assert (row.status, row.priority) == ("pending", 1)
    assert stage.settle(row.pk, seconds=9 * 60 * 60).status == "completed"


def test_an_older_checkout_is_upgraded(stage: Stage, books: Books) -> None:
    books.held.order("create", Fault.UNSENT)
    saga_id = starting.start(FOUND["CheckoutSaga"](), OrderPlaced(order=uuid4(), total_minor=1))
    assert saga_id is not None
    assert stage.row(saga_id).version == 1
    assert stage.settle(saga_id).status == "completed"
