"""Reservations as the orders service meets them, and as nobody else does."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from bandstand.testing.clock import HeldClock
from bandstand.testing.tokens import service_headers
from inventory.models import Reservation

pytestmark = pytest.mark.django_db
NewStock = Callable[[int], UUID]
Numbers = Callable[[UUID], tuple[int, int, int]]

KEY = "019b76da-a800-7000-8000-000000000001:reserve_stock"
PATH = f"/internal/v1/reservations/{KEY}/"


def wanted(product: UUID, quantity: int = 2, **changes: Any) -> dict[str, Any]:
    lines = [{"product_id": str(product), "quantity": quantity}]
    return {"order_id": "019b76da-a800-7000-8000-00000000abcd", "lines": lines, "ttl_seconds": 60, **changes}


def put(client: Client, body: Any, path: str = PATH) -> Any:
    return client.put(path, body, content_type="application/json")


def test_an_order_reserves_looks_and_commits(
    time: HeldClock, orders: Client, new_stock: NewStock, numbers: Numbers
) -> None:
    product = new_stock(5)
    made = put(orders, wanted(product))
    assert (made.status_code, made.json()) == (
        201,
        {
            "key": KEY,
            "order_id": "019b76da-a800-7000-8000-00000000abcd",
            "state": "held",
            "expires_at": "2026-01-01T12:01:00Z",
            "lines": [{"product_id": str(product), "quantity": 2}],
        },
    )
    time.advance(10)
    again = put(orders, wanted(product))
    assert (again.status_code, again.json()["expires_at"]) == (200, "2026-01-01T12:01:10Z")
    assert orders.get(PATH).json() == again.json()
    for _ in range(2):
        done = orders.post(PATH + "commit/")
        assert (done.status_code, done.json()) == (200, {"state": "committed"})
    assert numbers(product) == (3, 0, 2)
    assert orders.get(PATH).json()["state"] == "committed"


def test_a_release_before_the_reservation_wins(orders: Client, new_stock: NewStock, numbers: Numbers) -> None:
    product = new_stock(5)
    first = orders.delete(PATH)
    assert (first.status_code, first.json()) == (200, {"state": "tombstoned"})
    late = put(orders, wanted(product))
    assert (late.status_code, late.json()["error"]["details"]["conflict"]) == (409, "cancelled")
    assert numbers(product) == (5, 0, 0)
    assert orders.get(PATH).json() == {
        "key": KEY,
        "order_id": None,
        "state": "tombstoned",
        "expires_at": None,
        "lines": [],
    }


def test_a_release_gives_the_units_back(orders: Client, new_stock: NewStock, numbers: Numbers) -> None:
    product = new_stock(5)
    put(orders, wanted(product))
    for _ in range(2):
        assert orders.delete(PATH).json() == {"state": "released"}
    assert numbers(product) == (5, 0, 0)


def test_too_much_is_refused_whole(orders: Client, new_stock: NewStock, numbers: Numbers) -> None:
    plenty, scarce = new_stock(5), new_stock(1)
    lines = [{"product_id": str(product), "quantity": 2} for product in (plenty, scarce)]
    answer = put(orders, wanted(plenty, lines=lines))
    details = answer.json()["error"]["details"]
    assert (answer.status_code, details["business_rule"]) == (422, "insufficient_stock")
    assert (details["product_id"], details["available"], details["requested"]) == (str(scarce), 1, 2)
    assert numbers(plenty) == (5, 0, 0)
    assert orders.get(PATH).status_code == 404


def test_another_order_under_the_same_key_is_a_conflict(orders: Client, new_stock: NewStock) -> None:
    product = new_stock(5)
    put(orders, wanted(product))
    answer = put(orders, wanted(product, 3))
    assert (answer.status_code, answer.json()["error"]["details"]["conflict"]) == (409, "different")


def test_an_expired_key_is_cancelled_even_before_the_loop_came_round(
    time: HeldClock, orders: Client, new_stock: NewStock, numbers: Numbers
) -> None:
    product = new_stock(5)
    put(orders, wanted(product))
    time.advance(60)
    answer = put(orders, wanted(product))
    assert (answer.status_code, answer.json()["error"]["details"]["conflict"]) == (409, "cancelled")
    assert (numbers(product), orders.get(PATH).json()["state"]) == ((5, 0, 0), "expired")


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_nobody_else_may(client: Client, staff: Client, shopper: Client, method: str) -> None:
    payments = Client(headers=service_headers("payments"))
    statuses = [
        getattr(caller, method)(PATH, content_type="application/json").status_code
        for caller in (client, shopper, staff, payments)
    ]
    assert statuses == [401, 401, 401, 403]
    assert not Reservation.objects.exists()


def test_nobody_else_may_commit(client: Client, staff: Client) -> None:
    assert [caller.post(PATH + "commit/").status_code for caller in (client, staff)] == [401, 401]


def test_absent_keys_and_methods_say_so(orders: Client) -> None:
    assert orders.get(PATH).status_code == 404
    assert orders.post(PATH + "commit/").status_code == 404
    assert orders.post(PATH).status_code == 405
    assert orders.get(PATH + "commit/").status_code == 405


@pytest.mark.parametrize("key", ["short", "a" * 256, "semi;colon;s", "sp%20aces%20", "%C3%A4%C3%A4%C3%A4%C3%A4%C3%A4"])
def test_an_ill_formed_key_is_refused(orders: Client, new_stock: NewStock, key: str) -> None:
    assert put(orders, wanted(new_stock(1)), path=f"/internal/v1/reservations/{key}/").status_code == 400


HOSTILE: list[Any] = [
    b"null",
    b"[]",
    b"{",
    b"{}",
    {"ttl_seconds": 0},
    {"ttl_seconds": "60"},
    {"ttl_seconds": 86_401},
    {"order_id": "x"},
    {"order_id": None},
    {"lines": []},
    {"lines": None},
    {"lines": [{}]},
    {"lines": [{"product_id": "x", "quantity": 1}]},
    {"lines": [{"product_id": str(uuid4()), "quantity": 0}]},
    {"lines": [{"product_id": str(uuid4()), "quantity": -1}]},
    {"lines": [{"product_id": str(uuid4()), "quantity": 1001}]},
    {"lines": [{"product_id": str(uuid4()), "quantity": 1.0}]},
    {"lines": [{"product_id": str(uuid4()), "quantity": "1"}]},
    {"lines": [{"product_id": str(uuid4()), "quantity": True}]},
    {"lines": [{"product_id": str(uuid4()), "quantity": 10**30}]},
    {"lines": [{"product_id": str(uuid4()), "quantity": 1, "price": 1}]},
    {"lines": [{"product_id": str(UUID(int=7)), "quantity": 1}] * 2},
    {"lines": [{"product_id": str(uuid4()), "quantity": 1} for _ in range(51)]},
    {"expires_at": "2099-01-01T00:00:00Z"},
]


@pytest.mark.parametrize("body", HOSTILE)
def test_a_hostile_body_is_refused_and_holds_nothing(orders: Client, new_stock: NewStock, body: Any) -> None:
    answer = put(orders, body if isinstance(body, bytes) else wanted(new_stock(5), **body))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR"), answer.content
    assert not Reservation.objects.exists()
