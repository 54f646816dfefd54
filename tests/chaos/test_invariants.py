"""Every invariant holds over a healthy shop, and each one sees the fault that it is there for."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.chaos.world import AT, applied, changed, charge, event, healthy, order, payment, reservation, saga

from bandstand.chaos.audit import as_json, as_text, judge
from bandstand.chaos.audit import facts as f

WELL = healthy()
PLACED = WELL.outbox["orders"][0]
LETTER = f.DeadLetter(consumer="orders.x", event_id="e", type="t", attempts=5, reason="KeyError", state="dead",
                      first_failed_at=AT.format(1))  # fmt: skip


def broken(facts: f.Facts) -> list[str]:
    return [f"{finding.invariant.id} {each.what}" for finding in judge(facts).findings for each in finding.violations]


def orders_with(**values: Any) -> list[f.Order]:
    return changed(WELL.orders, lambda row: row.order_id == "paid", **values)


def stock_with(**values: int) -> list[f.Stock]:
    return [replace(WELL.stock[0], **values)]


def charges_with(name: str, **values: Any) -> list[f.Charge]:
    return changed(WELL.charges, lambda row: row.reference == name, **values)


def without(rows: list[Any], **values: Any) -> list[Any]:
    left = [row for row in rows if any(getattr(row, name) != value for name, value in values.items())]
    assert len(left) < len(rows)
    return left


def outbox_with(service: str, rows: list[f.OutboxRow]) -> dict[str, list[f.OutboxRow]]:
    return {**WELL.outbox, service: rows}


def inbox_with(service: str, rows: list[f.InboxRow]) -> dict[str, list[f.InboxRow]]:
    return {**WELL.inbox, service: rows}


def test_every_invariant_holds_over_a_healthy_shop() -> None:
    assert broken(WELL) == []
    assert judge(WELL).holds


PLANTED: dict[str, tuple[str, dict[str, Any]]] = {
    "a unit vanished": ("I1 units appeared or vanished", {"stock": stock_with(available=7)}),
    "oversold": ("I1 oversold", {"stock": stock_with(available=-1, sold=11)}),
    "sold without a reservation": ("I1 2 units are sold, the reservations committed 0", {"reservations": []}),
    "held without a reservation": ("I1 1 units are held", {"stock": stock_with(available=7, held=1)}),
    "reserved of nothing": ("I1 reserved units of a product without", {"stock": []}),
    "an order never ended": ("I2 the order is still pending", {"orders": orders_with(status="pending")}),
    "an end changed": (
        "I2 the order was cancelled and became confirmed",
        {"history": [*WELL.history[:1], f.HistoryEntry(order_id="paid", seq=2, status="cancelled", at=AT.format(2)),
                     f.HistoryEntry(order_id="paid", seq=3, status="confirmed", at=AT.format(3)), *WELL.history[2:]]},
    ),
    "the history forgets": ("I2 the order is confirmed, its history ends with", {"history": WELL.history[:1]}),
    "an order vanished": ("I2 history of an order that does not exist", {"orders": WELL.orders[1:]}),
    "charged twice": (
        "I3 the order is confirmed and was charged 2 times",
        {"charges": [*WELL.charges, charge("paid", "captured", captured=500, key="another")]},
    ),
    "never charged": ("I3 the order is confirmed and was charged 0 times", {"charges": WELL.charges[1:]}),
    "charged another amount": ("I3 charged 501 EUR for an order", {"charges": charges_with("paid", captured=501)}),
    "charged in another currency": ("I3 charged 500 USD", {"charges": charges_with("paid", currency="USD")}),
    "a confirmed order was given back": (
        "I3 the order is confirmed and its charge is refunded",
        {"charges": charges_with("paid", state="refunded", refunded=500)},
    ),
    "a rejected order was charged": (
        "I3 the order is rejected and 500 were kept",
        {"charges": charges_with("poor", state="captured", captured=500)},
    ),
    "a cancelled order can still be charged": (
        "I3 the order is cancelled and a charge is still open",
        {"charges": charges_with("late", state="pending", captured=0, refunded=0)},
    ),
    "charged for no order": (
        "I3 captured 500 for no order",
        {"charges": [*WELL.charges, charge("nobody", "captured", captured=500)]},
    ),
    "payments missed a refund": (
        "I3 payments says captured, 500 kept; the provider says captured, 400 kept",
        {"payments": [payment("paid", "captured"), *WELL.payments[1:]]},
    ),
    "payments missed a capture": ("I3 the provider captured 500 under a key", {"payments": WELL.payments[1:]}),
    "an event was never applied": (
        "I4 notifications.mail_confirmation has not applied orders.order_confirmed.v1",
        {"inbox": inbox_with("notifications", [])},
    ),
    "an event was applied twice": (
        "I4 inventory.create_stock applied an event 2 times",
        {"inbox": inbox_with("inventory", WELL.inbox["inventory"] * 2)},
    ),
    "a phantom was applied": (
        "I4 inventory.create_stock applied an event that nobody committed",
        {"inbox": inbox_with("inventory", [*WELL.inbox["inventory"],
                                           applied("inventory.create_stock", event("x", "y", 1), 5)])},
    ),
    "an event could not be delivered": (
        "I4 orders.order_placed.v1 could never be delivered",
        {"outbox": outbox_with("orders", [replace(PLACED, state="dead"), *WELL.outbox["orders"][1:]])},
    ),
    "an order without its event": (
        "I4 orders.order_placed.v1 was committed 0 times",
        {"outbox": outbox_with("orders", WELL.outbox["orders"][1:])},
    ),
    "an event told twice": (
        "I4 orders.order_placed.v1 was committed 2 times",
        {"outbox": outbox_with("orders", [*WELL.outbox["orders"], replace(PLACED, event_id="again", sequence=9)])},
    ),
    "an event without its order": (
        "I4 orders.order_placed.v1 tells of an order that does not exist",
        {"outbox": outbox_with("orders", [*WELL.outbox["orders"], event("orders.order_placed.v1", "ghost", 9)])},
    ),
    "a capture without its event": (
        "I4 payments.payment_captured.v1 was committed 0 times",
        {"outbox": outbox_with("payments", [])},
    ),
    "applied out of order": (
        "I5 orders.follow_product applied sequence 1 after 2",
        {"inbox": inbox_with("orders", [applied("orders.follow_product", each, second)
                                        for each, second in zip(WELL.outbox["products"], (9, 3), strict=True)])},
    ),
    "an order without a saga": ("I6 an order without a saga", {"sagas": WELL.sagas[1:]}),
    "a saga without an order": ("I6 a saga without an order", {"sagas": [*WELL.sagas, saga("ghost", "completed")]}),
    "a saga ended otherwise": (
        "I6 the saga is compensated, the order confirmed",
        {"sagas": [saga("paid", "compensated"), *WELL.sagas[1:]]},
    ),
    "a saga that goes on after the end": (
        "I6 the saga is compensation_failed, the order rejected",
        {"sagas": changed(WELL.sagas, lambda row: row.business_key == "poor", state="compensation_failed")},
    ),
    "done that is not applied": (
        "I6 capture_payment is logged as done, the participant says cancelled",
        {"payments": [payment("paid", "cancelled"), *WELL.payments[1:]]},
    ),
    "applied that is not done": (
        "I6 capture_payment is not logged as done, the participant says captured",
        {"payments": changed(WELL.payments, lambda row: row.order_id == "poor", state="captured")},
    ),
    "undone that is still applied": (
        "I6 reserve_stock is logged as undone, the participant says held",
        {"reservations": changed(WELL.reservations, lambda row: row.order_id == "poor", state="held")},
    ),
    "an undo that left no tombstone": (
        "I6 capture_payment is logged as undone, the participant says absent",
        {"payments": without(WELL.payments, order_id="late")},
    ),
    "an end with an unknown outcome": (
        "I6 the saga ended while the outcome of capture_payment is unknown",
        {"steps": without(WELL.steps, saga_id="s-late", step="capture_payment", direction="undo")},
    ),
    "a key for each attempt": (
        "I6 capture_payment was tried under several keys",
        {"steps": changed(WELL.steps, lambda row: row.saga_id == "s-late" and row.direction == "undo", key="other")},
    ),
    "completed without its steps": (
        "I6 the saga is completed and steps are missing",
        {"steps": without(WELL.steps, saga_id="s-paid", step="commit_stock")},
    ),
    "a key no saga logged": (
        "I6 inventory holds a key that no saga logged",
        {"reservations": [*WELL.reservations, reservation("stray", "released")]},
    ),
    "held for an order that ended": (
        "I7 units are held for an order that is rejected",
        {"reservations": changed(WELL.reservations, lambda row: row.order_id == "poor", state="held")},
    ),
    "held for no order": (
        "I7 units are held for no order",
        {"reservations": [*WELL.reservations, reservation("stray", "held")]},
    ),
    "held past its expiry": (
        "I7 units are held past",
        {"reservations": changed(WELL.reservations, lambda row: row.order_id == "poor", state="held")},
    ),
    "the availability differs": (
        "I9 inventory has 8 available, products shows 9",
        {"availability": [f.Availability(product_id="p1", available=9)]},
    ),
    "the availability is missing": ("I9 inventory has 8 available, products shows None", {"availability": []}),
    "the statistics differ": ("I9 1 orders of 500 in all, the statistics show 0", {"statistics": WELL.statistics[1:]}),
    "the catalogue differs": (
        "I9 products has SKU-1 at 250 EUR, active, orders has SKU-1 at 240 EUR, active",
        {"catalogue_replica": [replace(WELL.catalogue[0], amount=240)]},
    ),
    "a retired product is sold": (
        "I9 products has SKU-1 at 250 EUR, retired, orders has SKU-1 at 250 EUR, active",
        {"catalogue": [replace(WELL.catalogue[0], is_active=False)]},
    ),
    "an unexpected dead letter": ("I10 1 dead letters, 0 expected", {"dead_letters": {"orders": [LETTER]}}),
    "a dead letter is missing": ("I10 0 dead letters, 1 expected", {"expected_dead": 1}),
    "set aside twice": (
        "I10 the same event is set aside more than once",
        {"dead_letters": {"orders": [LETTER, LETTER]}, "expected_dead": 2},
    ),
    "set aside without a reason": (
        "I10 a dead letter without reason",
        {"dead_letters": {"orders": [replace(LETTER, reason="")]}, "expected_dead": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str) -> None:
    complaint, values = PLANTED[fault]
    assert [each for each in broken(replace(WELL, **values)) if each.startswith(complaint)]


def test_a_reservation_of_a_living_saga_may_be_past_its_expiry() -> None:
    facts = replace(
        WELL,
        orders=[*WELL.orders, order("new", "pending")],
        sagas=[*WELL.sagas, saga("new", "waiting")],
        reservations=[*WELL.reservations, reservation("new", "held")],
    )
    assert not [each for each in broken(facts) if each.startswith("I7")]


def test_a_dead_letter_explains_what_was_not_applied() -> None:
    letter = replace(LETTER, consumer="notifications.mail_confirmation", event_id="orders.order_confirmed.v1/paid/4")
    facts = replace(WELL, inbox=inbox_with("notifications", []), dead_letters={"n": [letter]}, expected_dead=1)
    assert broken(facts) == []


def test_an_event_that_never_left_counts_as_not_sent() -> None:
    unsent = [f.SagaStep(saga_id="s-poor", step="capture_payment", direction="do", attempt=1, outcome=each,
                         key="s-poor:capture_payment", at=AT.format(3)) for each in ("intent", "failed")]  # fmt: skip
    steps = [*without(WELL.steps, saga_id="s-poor", step="capture_payment"), *unsent]
    facts = replace(WELL, steps=steps, payments=without(WELL.payments, order_id="poor"))
    assert not [each for each in broken(facts) if each.startswith("I6 the saga ended")]


def entry(kind: str, **values: Any) -> f.JournalEntry:
    return f.JournalEntry(type=kind, at=datetime(2026, 5, 4, 10, 0, tzinfo=UTC), **values)


def attempted(*keys: str) -> list[f.JournalEntry]:
    return [entry("attempt", key=key, user_id="u1") for key in keys]


ANSWERED = [entry("answer", key=name, status=202, order_id=name) for name in ("paid", "poor", "late")]


@pytest.mark.parametrize(
    ("journal", "complaint"),
    [
        (ANSWERED, None),
        ([*attempted("paid", "poor", "late"), *ANSWERED, *ANSWERED], None),
        ([*attempted("paid", "poor", "k"), *ANSWERED[:2]], None),  # `late` may be the order of the unanswered key
        ([entry("answer", key="k", status=202, order_id="lost")], "I8 an acknowledged order does not exist"),
        (
            [*ANSWERED, entry("answer", key="paid", status=202, order_id="poor")],
            "I8 one key was answered with 2 orders",
        ),
        ([*ANSWERED, entry("answer", key="k", status=202, order_id="poor")], "I8 2 keys were answered with one order"),
        ([*attempted("paid", "poor"), *ANSWERED[:2]], "I8 1 orders without an answer for 0 keys"),
        ([*attempted("paid", "poor", "k"), *ANSWERED[:2], entry("answer", key="k", status=422)], "I8 1 orders without"),
        ([entry("seen", order_id="paid", order_status="cancelled")], "I8 a client saw the order cancelled"),
        ([entry("seen", order_id="lost", order_status="pending")], "I8 an order that a client saw"),
    ],
)
def test_a_clients_journal_is_held_against_the_shop(journal: list[f.JournalEntry], complaint: str | None) -> None:
    found = broken(replace(WELL, journal=journal, absent=frozenset()))
    assert found == [] if complaint is None else found[0].startswith(complaint)


def test_what_cannot_be_checked_does_not_hold() -> None:
    report = judge(replace(WELL, absent=frozenset({"journal", "products.audit_availability"})))
    assert not report.holds
    assert [finding.absent for finding in report.findings if not finding.holds] == [("products.audit_availability",)]


def test_a_violation_comes_with_its_orders_timeline() -> None:
    report = judge(replace(WELL, charges=WELL.charges[1:]))
    [violation] = as_json(report)["invariants"][2]["violations"]
    story = "\n".join(violation["timeline"])
    for part in ("order        confirmed", "saga step    capture_payment do #1 ok", "payments     captured, 500",
                 "inventory    committed 2 of p1", "event        orders.order_placed.v1 by orders"):  # fmt: skip
        assert part in story
    assert any("saga step    capture_payment do #1 ok" in line for line in as_text(report))
