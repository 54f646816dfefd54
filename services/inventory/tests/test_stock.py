"""Stock rows, adjustments, the ledger, and what is told about them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction

from bandstand.testing.facts import Facts
from inventory.commands import adjust_stock, open_stock, rename_stock
from inventory.errors import InsufficientStock, StockNotFound
from inventory.models import Movement, Stock

pytestmark = pytest.mark.django_db
NewStock = Callable[[int], UUID]


def test_a_stock_row_is_opened_once_and_empty(facts: Facts) -> None:
    product = uuid4()
    assert open_stock(product_id=product, sku="A-1")
    assert not open_stock(product_id=product, sku="A-1")
    assert facts() == [("stock_changed.v1", {"product_id": str(product), "available": 0})]


def test_a_new_sku_is_followed_and_the_row_made_when_it_is_missing() -> None:
    product = uuid4()
    rename_stock(product_id=product, sku="A-1")
    rename_stock(product_id=product, sku="A-2")
    assert Stock.objects.get(pk=product).sku == "A-2"


def test_opening_again_does_not_undo_a_renaming() -> None:
    product = uuid4()
    open_stock(product_id=product, sku="A-1")
    rename_stock(product_id=product, sku="A-2")
    open_stock(product_id=product, sku="A-1")
    assert Stock.objects.get(pk=product).sku == "A-2"


def test_adjustments_add_up_with_reason_and_actor(new_stock: NewStock, agree: Callable[[], None]) -> None:
    product = new_stock(0)
    adjust_stock(product_id=product, delta=10, reason="delivery", actor="alice")
    stock = adjust_stock(product_id=product, delta=-3, reason="breakage", actor="bob")
    assert (stock.available, stock.restocked) == (7, 7)
    ledger = Movement.objects.filter(product=product).order_by("id").values_list("available", "reason", "actor")
    assert list(ledger) == [(10, "delivery", "alice"), (-3, "breakage", "bob")]
    agree()


def test_an_adjustment_never_takes_what_is_not_there(new_stock: NewStock, facts: Facts) -> None:
    product = new_stock(2)
    facts()
    with pytest.raises(InsufficientStock) as refusal:
        adjust_stock(product_id=product, delta=-3, reason="breakage")
    assert refusal.value.details == {
        "product_id": str(product),
        "available": 2,
        "requested": 3,
        "business_rule": "insufficient_stock",
    }
    assert Movement.objects.filter(product=product).count() == 1
    assert facts() == []


def test_no_stock_row_is_no_stock_to_adjust() -> None:
    with pytest.raises(StockNotFound):
        adjust_stock(product_id=uuid4(), delta=1, reason="delivery")


def test_a_marked_adjustment_happens_once(new_stock: NewStock) -> None:
    product = new_stock(0)
    for _ in range(3):
        stock = adjust_stock(product_id=product, delta=5, reason="seed", marker="seed:X")
    assert stock.available == 5


def test_stock_low_is_told_when_the_threshold_is_crossed_downwards_only(new_stock: NewStock, facts: Facts) -> None:
    product = new_stock(7)
    facts()
    told = []
    for delta in (-1, -1, -1, +1, +1, -2):  # 6, 5 low, 4, 5, 6, 4 low
        adjust_stock(product_id=product, delta=delta, reason="count")
        told.append([name for name, _ in facts()])
    changed, both = ["stock_changed.v1"], ["stock_changed.v1", "stock_low.v1"]
    assert told == [changed, both, changed, changed, changed, both]


def test_a_failed_transaction_publishes_nothing(new_stock: NewStock, facts: Facts) -> None:
    product = new_stock(1)
    facts()

    @transaction.atomic
    def deliver_and_break() -> None:
        adjust_stock(product_id=product, delta=1, reason="delivery")
        adjust_stock(product_id=product, delta=-5, reason="breakage")

    with pytest.raises(InsufficientStock):
        deliver_and_break()
    assert facts() == []
    assert Stock.objects.get(pk=product).available == 1


@pytest.mark.parametrize(
    "broken", [{"available": 9}, {"held": 1}, {"sold": -1, "available": 2}, {"available": -1, "held": 2}]
)
def test_the_database_itself_refuses_a_row_whose_units_do_not_add_up(
    new_stock: NewStock, broken: dict[str, int]
) -> None:
    product = new_stock(1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Stock.objects.filter(pk=product).update(**broken)


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "hold", "available": -1, "held": 2},
        {"kind": "restock", "available": 1, "sold": 1},
        {"kind": "magic", "available": 0},
    ],
)
def test_the_database_itself_refuses_a_movement_that_makes_units(new_stock: NewStock, broken: dict[str, Any]) -> None:
    product = new_stock(1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Movement.objects.create(product_id=product, **broken)


def test_the_ledger_is_append_only(new_stock: NewStock) -> None:
    movement = Movement.objects.get(product=new_stock(1))
    with pytest.raises(TypeError, match="append-only"):
        movement.save()
    with pytest.raises(TypeError, match="append-only"):
        movement.delete()
    with pytest.raises(TypeError, match="append-only"):
        Movement.objects.update(available=9)
    with pytest.raises(TypeError, match="append-only"):
        Movement.objects.filter(pk=movement.pk).delete()
