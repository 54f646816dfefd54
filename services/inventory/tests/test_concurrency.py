"""Many at once: the last unit is sold once, no adjustment is lost, opposite orders do not deadlock."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection

from bandstand.errors import ServiceError
from inventory.commands import adjust_stock, commit_reservation, release_reservation, reserve_stock
from inventory.models import Line, Reservation, Stock

pytestmark = pytest.mark.django_db(transaction=True)
NewStock = Callable[[int], UUID]
Numbers = Callable[[UUID], tuple[int, int, int]]
TTL = timedelta(seconds=60)


def at_once(work: Callable[[int], object], *, times: int, threads: int = 8) -> Counter[str]:
    """Do *work* so many times by so many threads; count the outcomes by the name of the error, or `ok`."""

    def attempt(number: int) -> str:
        try:
            work(number)
        except ServiceError as error:
            return type(error).__name__
        finally:
            connection.close()
        return "ok"

    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(attempt, range(times)))


def test_the_last_unit_is_sold_once_under_200_orders(
    new_stock: NewStock, numbers: Numbers, agree: Callable[[], None]
) -> None:
    product = new_stock(1)

    def order(number: int) -> None:
        key = f"saga-{number}:reserve_stock"
        line = Line(product_id=product, quantity=1)
        reserve_stock(key=key, order_id=uuid4(), lines=[line], ttl=TTL)
        commit_reservation(key=key)

    assert at_once(order, times=200) == {"ok": 1, "InsufficientStock": 199}
    assert numbers(product) == (0, 0, 1)
    agree()


def test_no_adjustment_is_lost(new_stock: NewStock, numbers: Numbers, agree: Callable[[], None]) -> None:
    product = new_stock(0)
    assert at_once(lambda _: adjust_stock(product_id=product, delta=1, reason="x"), times=160) == {"ok": 160}
    assert numbers(product) == (160, 0, 0)
    agree()


def test_one_key_from_many_sides_holds_once(new_stock: NewStock, numbers: Numbers) -> None:
    product, order_id = new_stock(100), uuid4()
    line = Line(product_id=product, quantity=3)
    done = at_once(lambda _: reserve_stock(key="saga-1:reserve", order_id=order_id, lines=[line], ttl=TTL), times=40)
    assert done == {"ok": 40}
    assert numbers(product) == (97, 3, 0)


def test_reserving_and_releasing_one_key_at_once_ends_with_nothing_held(
    new_stock: NewStock, numbers: Numbers, agree: Callable[[], None]
) -> None:
    product, order_id = new_stock(10), uuid4()
    line = Line(product_id=product, quantity=2)

    def either(number: int) -> None:
        key = f"saga-{number // 2}:reserve"
        if number % 2:
            release_reservation(key=key)
        else:
            reserve_stock(key=key, order_id=order_id, lines=[line], ttl=TTL)

    at_once(either, times=60)
    assert numbers(product) == (10, 0, 0)
    assert set(Reservation.objects.values_list("state", flat=True)) <= {"released", "tombstoned"}
    agree()


def test_orders_for_the_same_products_in_opposite_order_do_not_deadlock(
    new_stock: NewStock, agree: Callable[[], None]
) -> None:
    first, second = new_stock(1_000), new_stock(1_000)

    def order(number: int) -> None:
        products = [first, second] if number % 2 else [second, first]
        lines = [Line(product_id=product, quantity=1) for product in products]
        reserve_stock(key=f"saga-{number}:reserve", order_id=uuid4(), lines=lines, ttl=TTL)

    assert at_once(order, times=80) == {"ok": 80}
    assert set(Stock.objects.values_list("available", flat=True)) == {920}
    agree()
