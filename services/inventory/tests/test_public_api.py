"""The public API: who may do what, what is refused, and that a repeat with a key changes nothing."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from inventory.models import Movement

pytestmark = pytest.mark.django_db
NewStock = Callable[[int], UUID]
Numbers = Callable[[UUID], tuple[int, int, int]]
JSON = "application/json"


def adjust(client: Client, product: UUID, body: Any, **headers: str) -> Any:
    return client.post(f"/api/v1/inventory/{product}/adjustments/", body, content_type=JSON, headers=headers)


def test_anybody_sees_what_is_available_and_staff_see_all(
    client: Client, staff: Client, shopper: Client, new_stock: NewStock
) -> None:
    product = new_stock(3)
    for reader in (client, shopper):
        answer = reader.get(f"/api/v1/inventory/{product}/")
        assert (answer.status_code, answer.json()) == (200, {"product_id": str(product), "available": 3})
    assert staff.get(f"/api/v1/inventory/{product}").json() == {
        "product_id": str(product),
        "available": 3,
        "sku": f"SKU-{product.hex[:8]}",
        "initial": 0,
        "restocked": 3,
        "held": 0,
        "sold": 0,
    }


@pytest.mark.parametrize("route", ["inventory/{}/", "inventory/{}/adjustments/", "products/{}/update_inventory/"])
def test_a_product_without_stock_row_is_not_found(staff: Client, route: str) -> None:
    path = "/api/v1/" + route.format(uuid4())
    body = {"quantity": 1} if "update" in route else {"delta": 1, "reason": "delivery"}
    answer = staff.get(path) if path.count("/") == 5 else staff.post(path, body, content_type=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_staff_adjust_stock_under_both_names(staff: Client, new_stock: NewStock) -> None:
    product = new_stock(3)
    first = adjust(staff, product, {"delta": 4, "reason": "delivery"})
    second = staff.post(f"/api/v1/products/{product}/update_inventory/", {"quantity": -2}, content_type=JSON)
    assert (first.status_code, first.json()["available"], first.json()["restocked"]) == (201, 7, 7)
    assert (second.status_code, second.json()["available"], second.json()["restocked"]) == (201, 5, 5)
    movements = Movement.objects.filter(product=product).order_by("id")
    assert [movement.reason for movement in movements] == ["delivery", "delivery", "update_inventory"]
    assert all(UUID(movement.actor) for movement in movements[1:])


@pytest.mark.parametrize("route", ["inventory/{}/adjustments/", "products/{}/update_inventory/"])
def test_only_staff_adjust(client: Client, shopper: Client, orders: Client, new_stock: NewStock, route: str) -> None:
    product = new_stock(3)
    path = "/api/v1/" + route.format(product)
    body = {"quantity": 1} if "update" in route else {"delta": 1, "reason": "x"}
    statuses = [caller.post(path, body, content_type=JSON).status_code for caller in (client, shopper, orders)]
    assert statuses == [401, 403, 401]
    assert Movement.objects.filter(product=product).count() == 1


def test_what_is_not_available_cannot_be_taken(staff: Client, new_stock: NewStock, numbers: Numbers) -> None:
    product = new_stock(3)
    answer = adjust(staff, product, {"delta": -4, "reason": "breakage"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "BUSINESS_LOGIC_ERROR")
    assert error["details"]["business_rule"] == "insufficient_stock"
    assert numbers(product) == (3, 0, 0)


def test_a_repeat_with_the_same_key_gives_the_first_answer_again(
    staff: Client, new_stock: NewStock, numbers: Numbers
) -> None:
    product, key = new_stock(3), {"Idempotency-Key": "delivery-2026-01-01"}
    first = adjust(staff, product, {"delta": 4, "reason": "delivery"}, **key)
    again = adjust(staff, product, {"reason": "delivery", "delta": 4}, **key)
    other = adjust(staff, product, {"delta": 5, "reason": "delivery"}, **key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.json()["error"]["details"]["business_rule"] == "idempotency_key_reused"
    assert numbers(product) == (7, 0, 0)


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{",
    b"\xff\xfe",
    b"{}",
    b'{"delta": 1}',
    b'{"delta": 0, "reason": "x"}',
    b'{"delta": "1", "reason": "x"}',
    b'{"delta": 1.0, "reason": "x"}',
    b'{"delta": 1e3, "reason": "x"}',
    b'{"delta": true, "reason": "x"}',
    b'{"delta": null, "reason": "x"}',
    b'{"delta": NaN, "reason": "x"}',
    b'{"delta": 1000001, "reason": "x"}',
    b'{"delta": -1000001, "reason": "x"}',
    b'{"delta": 99999999999999999999999999, "reason": "x"}',
    b'{"delta": 1, "reason": ""}',
    b'{"delta": 1, "reason": 5}',
    b'{"delta": 1, "reason": "a\\u0000b"}',
    b'{"delta": 1, "reason": "\\ud800"}',
    b'{"delta": 1, "reason": "' + b"x" * 201 + b'"}',
    b'{"delta": 1, "reason": "x", "available": 5}',
    b'{"delta": 1, "delta": 2, "reason": "x"}',
    b'{"delta": ' + b"[" * 100 + b"]" * 100 + b', "reason": "x"}',
]


@pytest.mark.parametrize("body", HOSTILE)
def test_a_hostile_body_is_refused_and_changes_nothing(
    staff: Client, new_stock: NewStock, numbers: Numbers, body: bytes
) -> None:
    product = new_stock(3)
    answer = adjust(staff, product, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR"), answer.content
    assert numbers(product) == (3, 0, 0)


@pytest.mark.parametrize("product", ["x", "1", "019b76da-a800-7000-8000-00000000000g", "%00"])
def test_what_is_no_id_is_not_found(client: Client, product: str) -> None:
    assert client.get(f"/api/v1/inventory/{product}/").status_code == 404


def test_unknown_query_parameters_are_refused(client: Client, new_stock: NewStock) -> None:
    assert client.get(f"/api/v1/inventory/{new_stock(1)}/?verbose=1").status_code == 400
