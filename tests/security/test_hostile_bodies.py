"""Every operation that writes, with every hostile body its schema suggests: only refusals, and nothing changes."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest

from tests.security.contract import OPERATIONS, Operation
from tests.security.hostile import hostile_bodies, sound_value
from tests.security.shop import Shop, money, until
from tests.security.wire import Answer, assert_error

WRITING = sorted(name for name, found in OPERATIONS.items() if found.schema is not None)


def sent(shop: Shop, operation: Operation, body: bytes) -> Answer:
    """One hostile request by the one who would be allowed to make a sound one."""
    own = {"users_change_password_create", "users_update", "users_partial_update", "users_profile_update"}
    person = shop.ben if operation.id in own else shop.staff
    targets = {"user_id": shop.ben.id, "product_id": shop.spare_product_id, "payment_id": shop.payment_id}
    identifier, token = targets.get(operation.parameter or "", ""), person.token
    headers = {"Idempotency-Key": str(uuid4())} if operation.needs_key else {}
    return shop.ask(operation.method, operation.at(identifier), body=body, headers=headers, token=token)


@pytest.mark.parametrize("name", WRITING)
def test_a_hostile_body_is_refused_or_harmless_and_never_a_fault(shop: Shop, name: str) -> None:
    """What a schema does not forbid may be stored (a strange bio is a bio); a fault is never the answer."""
    operation = OPERATIONS[name]
    assert operation.schema is not None
    refused = 0
    for body in hostile_bodies(operation.schema):
        answer = sent(shop, operation, body)
        assert answer.status < 500, (body[:300], answer)
        assert answer.status in operation.statuses, (body[:300], answer)
        if answer.status >= 400:
            assert_error(answer, service=operation.service)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("name", WRITING)
def test_an_unknown_field_is_named_and_nothing_is_written(shop: Shop, name: str) -> None:
    """A3: nobody makes themselves staff by asking."""
    operation = OPERATIONS[name]
    assert operation.schema is not None
    with shop.unchanged():
        for field in ("is_staff", "is_superuser", "groups", "email_verified", "role", "password_hash", "user"):
            body = json.dumps({**sound_value(operation.schema), field: True}).encode()
            answer = sent(shop, operation, body)
            assert answer.status == 400, answer
            assert field in answer.data["error"]["details"]["field_errors"], answer


def test_registration_and_changes_take_no_privilege(shop: Shop) -> None:
    """A3: read-only fields are refused on POST, and ignored when they are sent back on PUT and PATCH."""
    unique = f"eve-{uuid4().hex[:8]}"
    sound = {"username": unique, "email": f"{unique}@example.com", "password": "Korrekt-Pferd-1!"}
    for field, value in {"roles": ["staff"], "is_active": True, "id": shop.staff.id, "is_verified": True,
                         "created_at": "2020-01-01T00:00:00Z"}.items():  # fmt: skip
        with shop.unchanged():
            assert shop.ask("POST", "/api/v1/users/", body={**sound, field: value}).status == 400, field
        path = f"/api/v1/users/{shop.ben.id}/"
        before = shop.done("GET", path, token=shop.ben.token)
        answer = shop.ask("PATCH", path, body={field: value}, token=shop.ben.token)
        assert answer.status in (200, 400)
        after = shop.done("GET", path, token=shop.ben.token)
        assert {**after, "updated_at": ""} == {**before, "updated_at": ""}, field


_QUANTITIES = (
    "-1", "0", "1e3", "1.9", '"1"', "9" * 30, "2147483648", "9223372036854775808", "1e999", "NaN", '"\u0661\u0662"',
    "true", "null", "1001", "[1]", "{}", "1.0", "-0", "0x1", "01", "+1", '1,"quantity":2', "1e-400", '""',
)  # fmt: skip


@pytest.mark.parametrize("quantity", _QUANTITIES)
def test_a_quantity_is_a_number_from_1_to_1000(shop: Shop, quantity: str) -> None:
    """P2."""
    body = f'{{"items":[{{"product_id":"{shop.product_id}","quantity":{quantity}}}],"payment_method":"tok_ok"}}'
    with shop.unchanged():
        answer = order(shop, body.encode())
        assert answer.status == 400, answer
        assert_error(answer, service="orders")


def order(shop: Shop, body: bytes | dict[str, Any]) -> Answer:
    """Try to order as Ben."""
    headers = {"Idempotency-Key": str(uuid4())}
    return shop.ask("POST", "/api/v1/orders/", body=body, headers=headers, token=shop.ben.token)


_TAMPERING: list[dict[str, Any]] = [
    {"price": 0.01}, {"total": money(0)}, {"total": 0}, {"user_id": "x"}, {"currency": "IDR"}, {"status": "confirmed"},
    {"id": "x"}, {"discount": 100},
]  # fmt: skip


@pytest.mark.parametrize("tampering", _TAMPERING, ids=lambda added: next(iter(added)))
def test_price_total_and_owner_are_the_servers(shop: Shop, tampering: dict[str, Any]) -> None:
    """P1: in the order and in its lines."""
    line = {"product_id": shop.product_id, "quantity": 1}
    with shop.unchanged():
        assert order(shop, {"items": [line], "payment_method": "tok_ok", **tampering}).status == 400
        assert order(shop, {"items": [{**line, **tampering}], "payment_method": "tok_ok"}).status == 400


def test_an_order_is_for_its_caller_at_the_price_of_the_catalogue(shop: Shop) -> None:
    placed = order(shop, {"items": [{"product_id": shop.product_id, "quantity": 2}], "payment_method": "tok_ok"}).data
    assert (placed["user_id"], placed["total"]) == (shop.ben.id, money(3998))
    path = f"/api/v1/orders/{placed['id']}/"
    assert until(lambda: shop.done("GET", path, token=shop.ben.token)["status"] == "confirmed")


def test_lines_are_few_and_name_a_product_once(shop: Shop) -> None:
    """P2: many lines of one product must not add up past the bound."""
    line = {"product_id": shop.product_id, "quantity": 1000}
    with shop.unchanged():
        for lines in ([], [line] * 2, [line] * 1000, [{**line, "product_id": str(uuid4())} for _ in range(51)]):
            assert order(shop, {"items": lines, "payment_method": "tok_ok"}).status == 400


_QUERIES = (
    "ordering=-password", "ordering=user__password", "name__regex=(a%2B)%2B%24", "search=%00", "search=%FF", "page=0",
    "page=1e3", "page=99999999999999999999", "page_size=101", "cursor=%00", "cursor=AAAA", "page=1&page=2",
    "min_price=-1", "min_price=NaN", "max_price=99999999999999999999999",
    "featured=maybe", "filter[id]=1", "%F0%9F%92%A9=1", "=1",
)  # fmt: skip


@pytest.mark.parametrize("query", _QUERIES)
def test_a_query_parameter_is_one_that_is_documented(shop: Shop, query: str) -> None:
    """Q1: 400 or an empty page, never another column and never a fault."""
    for wire in (shop.wire, shop.straight_at("products")):
        answer = wire.ask("GET", f"/api/v1/products/?{query}")
        assert answer.status in (200, 400, 404), answer
        assert answer.status != 200 or re.search("search=|page=9", query), answer
