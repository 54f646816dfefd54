"""R5 and R7: stock that leaks and stock that is lost, as the articles' few lines do it and as inventory does."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.seed.in_service import in_service


class Shelf:
    """A table of counters, as far as the naive code needs one."""

    def __init__(self, **counters: int) -> None:
        self.rows = counters


def naive_update_inventory(shelf: Shelf, quantity: int) -> Iterator[str]:
    """`product.inventory_count += quantity; product.save()`, one statement at a time."""
    count = shelf.rows["guitar"]
    yield "read"
    shelf.rows["guitar"] = count + quantity
    yield "saved"


def test_r7_the_naive_update_loses_all_but_one_of_those_who_read_the_same() -> None:
    shelf = Shelf(guitar=0)
    requests = [naive_update_inventory(shelf, 1) for _ in range(160)]
    for _ in ("read", "saved"):
        for request in requests:
            next(request)
    assert shelf.rows["guitar"] == 1


def test_r7_ours_counts_every_one_of_160_concurrent_updates(tmp_path: Path) -> None:
    program = """
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4
from inventory.commands import adjust_stock, open_stock
from inventory.models import Movement, Stock
product = uuid4()
open_stock(product_id=product, sku="G-1")
with ThreadPoolExecutor(8) as pool:
    list(pool.map(lambda _: adjust_stock(product_id=product, delta=1, reason="update_inventory"), range(160)))
print(json.dumps([Stock.objects.get().available, Movement.objects.count()]))
"""
    assert in_service("inventory", program, data=tmp_path) == [160, 160]


def naive_reserve_inventory(shelf: Shelf, items: dict[str, int]) -> list[str]:
    """One reservation after the other, each kept; their ids are in a local list that dies with the error."""
    reservations = []
    for name, quantity in items.items():
        if shelf.rows[name] < quantity:
            raise LookupError(name)
        shelf.rows[name] -= quantity
        reservations.append(name)
    return reservations


def test_r5_the_naive_loop_leaks_what_it_reserved_before_the_line_that_fails() -> None:
    shelf = Shelf(guitar=5, strap=5, baton=0)
    with suppress(LookupError):
        naive_reserve_inventory(shelf, {"guitar": 1, "strap": 1, "baton": 1})
    assert shelf.rows == {"guitar": 4, "strap": 4, "baton": 0}, "two units are held for nobody, for ever"


def test_r5_ours_holds_all_lines_or_none_and_leaves_nothing_behind(tmp_path: Path) -> None:
    program = """
from datetime import timedelta
from uuid import uuid4
from inventory.commands import adjust_stock, open_stock, reserve_stock
from inventory.errors import InsufficientStock
from inventory.models import Line, Movement, Reservation, Stock
lines = []
for units in (5, 5, 0):
    product = uuid4()
    open_stock(product_id=product, sku=str(units))
    if units:
        adjust_stock(product_id=product, delta=units, reason="delivery")
    lines.append(Line(product_id=product, quantity=1))
try:
    reserve_stock(key="saga-1:reserve_stock", order_id=uuid4(), lines=lines, ttl=timedelta(seconds=60))
except InsufficientStock:
    held = sum(Stock.objects.values_list("held", flat=True))
    print(json.dumps([held, Reservation.objects.count(), Movement.objects.filter(kind="hold").count()]))
"""
    assert in_service("inventory", program, data=tmp_path) == [0, 0, 0]
