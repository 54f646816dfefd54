"""The life of an order: pending, then one end, which never changes; and what the replica of the catalogue knows."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError
from django.test import Client
from services.orders.tests.placing import ANN, ORDERS, NewProduct, cancel, placed, problem

from bandstand.testing.events import deliver
from bandstand.testing.facts import Facts
from orders import commands
from orders.errors import OrderFinal
from orders.models import CatalogueProduct, Order, OrderLine

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(ann: Client, new_product: NewProduct, facts: Facts) -> Order:
    """A pending order of Ann."""
    order_id = placed(ann, new_product())["id"]
    facts()
    return Order.objects.get(pk=order_id)


def end(order: Order, how: str) -> None:
    if how == "confirmed":
        commands.confirm_order(order_id=order.id)
    elif how == "rejected":
        commands.reject_order(order_id=order.id, reason="payment_declined")
    else:
        commands.cancel_order(order_id=order.id, reason="requested")


ENDS = ["confirmed", "rejected", "cancelled"]


@pytest.mark.parametrize("how", ENDS)
def test_an_order_ends_once_and_says_so_once(order: Order, facts: Facts, how: str) -> None:
    for _ in range(2):
        end(order, how)
    order.refresh_from_db()
    assert (order.status, order.revision) == (how, 2)
    [(kind, data)] = facts()
    assert (kind, data["order_id"], data["user_id"]) == (f"order_{how}.v1", str(order.id), str(ANN))
    assert [entry.status for entry in order.history.all()] == ["pending", how]


@pytest.mark.parametrize(("how", "other"), [(a, b) for a in ENDS for b in ENDS if a != b])
def test_an_end_is_final(order: Order, facts: Facts, how: str, other: str) -> None:
    end(order, how)
    facts()
    with pytest.raises(OrderFinal):
        end(order, other)
    order.refresh_from_db()
    assert (order.status, facts()) == (how, [])


def test_a_confirmation_carries_what_was_bought(order: Order, facts: Facts) -> None:
    end(order, "confirmed")
    [(_, data)] = facts()
    line = order.lines.get()
    assert data["lines"] == [
        {"product_id": str(line.product_id), "sku": line.sku, "quantity": 2, "unit_price": line.unit_price_minor}
    ]
    assert data["total"] == {"amount": order.total_minor, "currency": "EUR"}


@pytest.mark.parametrize(
    "change",
    [
        {"status": "shipped"},
        {"total_minor": 0},
        {"status": "rejected"},
        {"status": "cancelled", "reason": ""},
        {"reason": "requested"},
    ],
    ids=str,
)
def test_the_database_refuses_an_order_that_cannot_be(order: Order, change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        Order.objects.filter(pk=order.pk).update(**change)


@pytest.mark.parametrize("change", [{"quantity": 0}, {"quantity": 1001}, {"unit_price_minor": 0}], ids=str)
def test_the_database_refuses_a_line_that_cannot_be(order: Order, change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        OrderLine.objects.filter(order=order).update(**change)


# ---- the wish to cancel


def test_a_wish_to_cancel_is_recorded_once(ann: Client, order: Order, facts: Facts) -> None:
    for _ in range(3):
        answer = cancel(ann, order.pk)
        assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    shown = answer.json()
    assert facts() == [("order_cancellation_requested.v1", {"order_id": str(order.pk)})]
    assert [(entry["status"], entry["detail"]) for entry in shown["history"]] == [
        ("pending", "placed"),
        ("pending", "cancellation requested"),
    ]
    assert shown["history"][1]["at"] == shown["updated_at"] > shown["created_at"]


@pytest.mark.parametrize("how", ENDS)
def test_what_has_ended_cannot_be_cancelled(ann: Client, order: Order, facts: Facts, how: str) -> None:
    end(order, how)
    facts()
    assert problem(cancel(ann, order.pk)) == (409, "final")
    assert facts() == []


def test_an_order_may_be_confirmed_after_the_wish(ann: Client, order: Order) -> None:
    cancel(ann, order.pk)
    end(order, "confirmed")
    history = ann.get(f"{ORDERS}{order.pk}/").json()["history"]
    assert [entry["status"] for entry in history] == ["pending", "pending", "confirmed"]


def test_staff_may_cancel_for_a_customer(staff: Client, order: Order) -> None:
    assert cancel(staff, order.pk).status_code == 202


def test_a_cancel_has_nothing_to_say(ann: Client, order: Order) -> None:
    answer = ann.post(f"{ORDERS}{order.pk}/cancel/", {"reason": "x"}, content_type="application/json")
    assert answer.status_code == 400


# ---- the replica of the catalogue


def tell(product_id: UUID, sequence: int, *, price: int) -> None:
    data = {
        "product_id": product_id,
        "sku": "SKU-1",
        "name": "A product",
        "price": {"amount": price, "currency": "EUR"},
    }
    deliver("products.product_updated.v1", data, subject=product_id, sequence=sequence)


def retire(product_id: UUID, sequence: int) -> None:
    deliver("products.product_retired.v1", {"product_id": product_id}, subject=product_id, sequence=sequence)


def test_the_newest_sequence_wins_in_whatever_order_it_comes(new_product: NewProduct) -> None:
    product_id = new_product(1)
    for sequence in (5, 3, 4):
        tell(product_id, sequence, price=sequence * 100)
    assert CatalogueProduct.objects.get(pk=product_id).price_minor == 500


def test_a_retired_product_stays_retired_whatever_comes_late(new_product: NewProduct) -> None:
    known, unknown = new_product(), uuid4()
    for product_id in (known, unknown):
        retire(product_id, 4)
        tell(product_id, 3, price=1)
    assert not CatalogueProduct.objects.exists()
