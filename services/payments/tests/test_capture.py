"""A payment by its key: taken once, declined for good, refused when it does not fit."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from services.payments.tests.asking import cancel, capture, path, problem, put, wanted
from tests.chaos.provider_client import Caller

from bandstand.testing.facts import Facts
from bandstand.testing.tokens import service_headers
from payments.models import Payment

pytestmark = pytest.mark.django_db


def test_a_capture_takes_the_money_and_says_so(orders: Client, provider: Caller, key: str, facts: Facts) -> None:
    body = wanted(amount=1999)
    answer = put(orders, key, body)
    order_id = body["order_id"]
    taken = {"key": key, "state": "captured", "order_id": order_id, "amount": 1999, "currency": "EUR"}
    assert (answer.status_code, answer.json()) == (201, taken)
    charge = provider.show(key).data
    assert (charge["state"], charge["captured"], charge["reference"]) == ("captured", 1999, order_id)
    assert facts() == [("payment_captured.v1", {"key": key, "order_id": order_id, "amount": 1999, "currency": "EUR"})]
    assert orders.get(path(key)).json() == taken


def test_a_repeat_is_the_same_answer_and_nothing_more(orders: Client, provider: Caller, key: str, facts: Facts) -> None:
    body = wanted()
    first = put(orders, key, body)
    facts()
    again = put(orders, key, body)
    assert (again.status_code, again.json()) == (201, first.json())
    assert (facts(), provider.show(key).data["captured"]) == ([], 1999)


def test_a_repeat_is_answered_from_our_books_while_the_provider_is_down(
    orders: Client, provider: Caller, key: str
) -> None:
    body = wanted()
    put(orders, key, body)
    provider.control("down")
    assert put(orders, key, body).status_code == 201


@pytest.mark.parametrize("method", ["tok_declined", "no-such-method"])
def test_a_declined_payment_stays_declined(
    orders: Client, provider: Caller, key: str, facts: Facts, method: str
) -> None:
    body = wanted(method)
    for _ in range(2):
        assert problem(put(orders, key, body)) == (402, "PAYMENT_DECLINED")
    [(kind, data)] = facts()
    assert (kind, data["order_id"]) == ("payment_declined.v1", body["order_id"])
    assert data["reason"] == provider.charge(key, method=method).data.get("reason", data["reason"])
    assert Payment.objects.get(key=key).state == "declined"


@pytest.mark.parametrize(
    "change",
    [{"amount": 2000}, {"currency": "USD"}, {"order_id": "019b76da-a800-7000-8000-00000000abcd"}],
    ids=["amount", "currency", "order"],
)
def test_a_key_in_use_for_something_else_is_refused(
    orders: Client, provider: Caller, key: str, change: dict[str, Any]
) -> None:
    body = wanted()
    put(orders, key, body)
    assert problem(put(orders, key, {**body, **change})) == (422, "different_payment")
    assert provider.show(key).data["captured"] == 1999


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": 19.99},
        {"amount": "1999"},
        {"amount": True},
        {"amount": 2**53 + 1},
        {"currency": "eur"},
        {"currency": "EUR\n"},
        {"payment_method": ""},
        {"payment_method": "x" * 65},
        {"user_id": "nobody"},
        {"tip": 5},
    ],
    ids=str,
)
def test_what_is_no_capture_is_refused_before_anything_is_noted(
    orders: Client, provider: Caller, key: str, change: dict[str, Any]
) -> None:
    assert problem(put(orders, key, {**wanted(), **change})) == (400, "VALIDATION_ERROR")
    assert not Payment.objects.exists()
    assert provider.show(key).status == 404


@pytest.mark.parametrize("bad", ["short", "with%20blank-and-more", "x" * 256, "..%2f..%2fv1%2fcontrol"])
def test_an_ill_formed_key_is_refused(orders: Client, bad: str) -> None:
    for ask in (lambda: capture(orders, bad), lambda: cancel(orders, bad), lambda: orders.get(path(bad))):
        assert ask().status_code in (400, 404)
    assert not Payment.objects.exists()


def test_nobody_but_orders_may_ask(client: Client, key: str) -> None:
    assert client.put(path(key), wanted(), content_type="application/json").status_code == 401
    other = Client(headers=service_headers("inventory"))
    assert capture(other, key).status_code == 403
    assert other.delete(path(key)).status_code == 403


def test_a_key_nobody_paid_under_is_absent(orders: Client, key: str) -> None:
    assert problem(orders.get(path(key))) == (404, "NOT_FOUND")


def test_a_capture_costs_four_statements_in_two_transactions(orders: Client, provider: Caller, key: str) -> None:
    """The intent before the provider is asked, the outcome after it; the money's event is in the second."""
    with CaptureQueriesContext(connections["default"]) as seen:
        capture(orders, key)
    statements = [query["sql"].split()[0] for query in seen if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert statements == ["INSERT", "SELECT", "UPDATE", "INSERT"]


@pytest.mark.django_db(transaction=True)
def test_many_at_once_under_one_key_take_the_money_once(provider: Caller, key: str) -> None:
    body = wanted()

    def ask(_: int) -> int:
        try:
            return int(put(Client(headers=service_headers("orders")), key, body).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(16))) == {201}
    assert (provider.show(key).data["captured"], Payment.objects.filter(key=key).count()) == (1999, 1)
