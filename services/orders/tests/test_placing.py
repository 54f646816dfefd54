"""Placing an order: what the customer may say, what the server decides, and once for each key."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from services.orders.tests.neighbours import DROPPED, Neighbours
from services.orders.tests.placing import ANN, ORDERS, NewProduct, place, placed, problem, wish

from bandstand import clock
from bandstand.sagas import SagaExecution
from bandstand.testing.clock import HeldClock
from bandstand.testing.events import deliver
from bandstand.testing.facts import Facts
from bandstand.testing.tokens import user_headers
from bandstand.web.models import IdempotencyClaim
from orders.models import Order

pytestmark = pytest.mark.django_db


def test_an_order_is_accepted_at_the_servers_prices(ann: Client, new_product: NewProduct, facts: Facts) -> None:
    first, second = new_product(1999), new_product(500)
    body = {
        "items": [{"product_id": str(first), "quantity": 2}, {"product_id": str(second), "quantity": 1}],
        "payment_method": "tok_ok",
        "note": "Ring twice.",
    }
    answer = place(ann, body)
    order = answer.json()
    assert (answer.status_code, answer["Location"]) == (202, f"{ORDERS}{order['id']}/")
    assert (order["user_id"], order["status"], order["reason"]) == (str(ANN), "pending", "")
    assert order["total"] == {"amount": 4498, "currency": "EUR"}
    assert [(line["product_id"], line["quantity"]) for line in order["items"]] == [(str(first), 2), (str(second), 1)]
    assert order["items"][0]["unit_price"] == {"amount": 1999, "currency": "EUR"}
    assert order["items"][0]["line_total"] == {"amount": 3998, "currency": "EUR"}
    assert order["history"] == [{"at": order["created_at"], "status": "pending", "detail": "placed"}]
    assert sorted(order) == sorted(
        ["id", "user_id", "status", "reason", "items", "total", "created_at", "updated_at", "history"]
    )
    [(kind, data)] = facts()
    assert (kind, data["order_id"], data["user_id"], data["total"]) == (
        "order_placed.v1",
        order["id"],
        str(ANN),
        order["total"],
    )
    assert ann.get(answer["Location"]).json() == order


class _Passing(HeldClock):
    def now(self) -> datetime:
        """Each look at the clock takes a moment."""
        self.advance(timedelta(milliseconds=1))
        return super().now()


def test_an_order_is_born_at_one_moment(ann: Client, new_product: NewProduct) -> None:
    previous = clock.install(_Passing(clock.now()))
    try:
        order = placed(ann, new_product(1999))
    finally:
        clock.install(previous)
    assert order["history"][0]["at"] == order["created_at"] == order["updated_at"]


def test_neither_answer_nor_event_nor_saga_holds_the_means_of_payment(
    ann: Client, new_product: NewProduct, facts: Facts
) -> None:
    order = placed(ann, new_product(), payment_method="tok_very_secret")
    saga = SagaExecution.objects.get(business_key=order["id"])
    written = json.dumps([order, facts(), saga.context_data])
    assert "tok_very_secret" not in written
    assert Order.objects.get(pk=order["id"]).payment_method == "tok_very_secret"


@pytest.mark.parametrize("name", ["user_id", "total", "price", "status", "currency", "id", "created_at", "unit_price"])
def test_what_the_server_decides_cannot_be_said(ann: Client, new_product: NewProduct, name: str) -> None:
    product = new_product()
    assert problem(place(ann, wish(product, **{name: 1}))) == (400, "VALIDATION_ERROR")
    body = wish(product)
    body["items"][0][name] = 1
    assert problem(place(ann, body)) == (400, "VALIDATION_ERROR")
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "quantity",
    [0, -1, 1001, 1.0, 1.9, "1", 10**30, 2**31, 2**63, True, None, [], "١٢"],
    ids=str,
)
def test_a_quantity_is_an_integer_from_1_to_1000(ann: Client, new_product: NewProduct, quantity: Any) -> None:
    assert problem(place(ann, wish(new_product(), quantity=quantity))) == (400, "VALIDATION_ERROR")
    assert not IdempotencyClaim.objects.exists()


@pytest.mark.parametrize("raw", ["1e999", "NaN", "Infinity", '1, "quantity": 2', "0x10", "01"])
def test_a_number_json_does_not_know_is_refused(ann: Client, new_product: NewProduct, raw: str) -> None:
    body = json.dumps(wish(new_product(), quantity=77)).replace("77", raw)
    assert problem(place(ann, body)) == (400, "VALIDATION_ERROR")


def test_the_bounds_themselves_are_accepted(ann: Client, new_product: NewProduct) -> None:
    assert placed(ann, new_product(5), quantity=1000)["total"]["amount"] == 5000
    assert len(placed(ann, *(new_product() for _ in range(50)), quantity=1)["items"]) == 50


@pytest.mark.parametrize(
    "change",
    [
        {"items": []},
        {"items": {}},
        {"items": [None]},
        {"items": [{"product_id": "1", "quantity": 1}]},
        {"items": [{"quantity": 1}]},
        {"payment_method": ""},
        {"payment_method": "x" * 65},
        {"payment_method": 7},
        {"payment_method": None},
        {"note": "x" * 501},
        {"note": None},
        {"coupon": "FREE"},
    ],
    ids=str,
)
def test_what_is_no_order_is_refused(ann: Client, new_product: NewProduct, change: dict[str, Any]) -> None:
    assert problem(place(ann, {**wish(new_product()), **change})) == (400, "VALIDATION_ERROR")
    assert not Order.objects.exists()


def test_one_line_for_each_product_and_fifty_at_most(ann: Client, new_product: NewProduct) -> None:
    product = new_product()
    assert place(ann, wish(product, product)).status_code == 400
    same = wish(product)
    same["items"].append({"product_id": str(product).upper(), "quantity": 1})
    assert place(ann, same).status_code == 400
    assert place(ann, wish(*(uuid4() for _ in range(51)))).status_code == 400


def test_nobody_orders_without_a_token(client: Client, new_product: NewProduct) -> None:
    assert place(client, wish(new_product())).status_code == 401


# ---- the key


@pytest.mark.parametrize("key", [None, "short", "with blank 1", "x" * 256, "Umlaut-ä-1"])
def test_a_key_is_required_and_well_formed(ann: Client, new_product: NewProduct, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = ann.post(ORDERS, wish(new_product()), content_type="application/json", headers=headers)
    assert problem(answer) == (400, "VALIDATION_ERROR")
    assert not Order.objects.exists()


def test_the_same_key_is_the_same_order(ann: Client, new_product: NewProduct, facts: Facts) -> None:
    body = wish(new_product())
    first = place(ann, body, key="order-0001")
    again = place(ann, dict(reversed(body.items())), key="order-0001")
    assert (again.status_code, again.json(), again["Idempotency-Replayed"]) == (202, first.json(), "true")
    assert again["Location"] == first["Location"]
    assert (Order.objects.count(), SagaExecution.objects.count(), len(facts())) == (1, 1, 1)


def test_the_same_key_with_another_body_is_refused(ann: Client, new_product: NewProduct) -> None:
    product = new_product()
    place(ann, wish(product), key="order-0001")
    assert problem(place(ann, wish(product, quantity=3), key="order-0001")) == (422, "idempotency_key_reused")


def test_keys_of_two_customers_have_nothing_to_do_with_each_other(
    ann: Client, bob: Client, new_product: NewProduct
) -> None:
    body = wish(new_product())
    first, other = place(ann, body, key="order-0001"), place(bob, body, key="order-0001")
    assert (other.status_code, other.get("Idempotency-Replayed")) == (202, None)
    assert first.json()["id"] != other.json()["id"]


@pytest.mark.django_db(transaction=True)
def test_many_at_once_with_one_key_are_one_order(new_product: NewProduct) -> None:
    body, headers = wish(new_product()), user_headers(user_id=ANN)

    def ask(_: int) -> int:
        try:
            return int(place(Client(headers=headers), body, key="order-0001").status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(24)))
    assert 202 in answers <= {202, 409}
    assert Order.objects.count() == 1


# ---- the catalogue


def product(product_id: Any, **changes: Any) -> dict[str, Any]:
    price = {"amount": 700, "currency": "EUR"}
    return {"id": str(product_id), "sku": "SKU-1", "name": "New", "price": price, "is_active": True, **changes}


def test_a_product_the_replica_misses_is_asked_for_once(ann: Client, neighbours: Neighbours) -> None:
    missing = uuid4()
    neighbours.say("GET product", (200, product(missing, available=None, description="More than orders reads")))
    for _ in range(2):
        assert placed(ann, missing, quantity=1)["total"]["amount"] == 700
    assert neighbours.heard() == ["GET product"]


def test_what_products_does_not_know_cannot_be_ordered(ann: Client, neighbours: Neighbours) -> None:
    """However long the list: one look at products, no order, and the key stays free."""
    body = wish(*(uuid4() for _ in range(50)))
    for _ in range(2):
        assert problem(place(ann, body, key="order-0001")) == (422, "unknown_product")
    assert neighbours.heard() == ["GET product"] * 2
    assert not Order.objects.exists()


def test_a_retired_product_cannot_be_ordered(ann: Client, neighbours: Neighbours, new_product: NewProduct) -> None:
    retired, missing = new_product(), uuid4()
    deliver("products.product_retired.v1", {"product_id": retired}, subject=retired)
    assert problem(place(ann, wish(new_product(), retired))) == (422, "unknown_product")
    neighbours.say("GET product", (200, product(missing, is_active=False)))
    assert problem(place(ann, wish(missing))) == (422, "unknown_product")


def test_while_products_is_down_unknown_products_wait_and_known_ones_do_not(
    ann: Client, neighbours: Neighbours, new_product: NewProduct
) -> None:
    neighbours.say("GET product", DROPPED)
    body = wish(uuid4())
    answer = place(ann, body, key="order-0001")
    assert (problem(answer), answer["Retry-After"]) == ((503, "SERVICE_UNAVAILABLE"), "1")
    assert placed(ann, new_product())
    missing = body["items"][0]["product_id"]
    neighbours.say("GET product", (200, product(missing)))
    assert place(ann, body, key="order-0001").status_code == 202


def test_one_order_has_one_currency(ann: Client, new_product: NewProduct) -> None:
    assert problem(place(ann, wish(new_product(), new_product(currency="USD")))) == (422, "mixed_currencies")


def test_an_order_nobody_could_pay_is_refused(ann: Client, new_product: NewProduct) -> None:
    dear = [new_product(2**53) for _ in range(3)]
    assert problem(place(ann, wish(*dear, quantity=1000))) == (422, "total_too_large")


def test_a_later_price_does_not_change_an_order(ann: Client, new_product: NewProduct) -> None:
    bought = new_product(1999)
    order = placed(ann, bought)
    price = {"amount": 5000, "currency": "EUR"}
    news = {"product_id": bought, "sku": "SKU-2", "name": "Renamed", "price": price}
    deliver("products.product_updated.v1", news, subject=bought)
    assert ann.get(f"{ORDERS}{order['id']}/").json() == order


def test_an_accepted_order_costs_eight_statements_in_two_transactions(ann: Client, new_product: NewProduct) -> None:
    """The claim of the key; then order, lines, history, event, saga and answer at once (PostgreSQL tells the time)."""
    body = wish(new_product(), new_product())
    place(ann, body)
    with CaptureQueriesContext(connections["default"]) as seen:
        assert place(ann, body).status_code == 202
    statements = [" ".join(query["sql"].split()[:3]).replace('"', "") for query in seen]
    saga = (
        "WITH born AS" if connections["default"].vendor == "postgresql" else "INSERT INTO bandstand_sagas_sagaexecution"
    )
    assert [each for each in statements if not each.startswith(("SAVEPOINT", "RELEASE", "SELECT clock"))] == [
        "INSERT INTO bandstand_web_idempotency",
        "SELECT product_id, sku,",
        "INSERT INTO orders_order",
        "INSERT INTO orders_orderline",
        "INSERT INTO orders_orderhistory",
        "INSERT INTO bandstand_events_outbox",
        saga,
        "UPDATE bandstand_web_idempotency SET",
    ]
