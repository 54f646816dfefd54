"""A cancel by key: before, during and after the capture, and when it comes twice."""

import threading
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client
from services.payments.tests.asking import cancel, capture, path, problem, put, wanted
from tests.chaos.provider_client import Caller
from tests.fleet_unit.fleets import until

from bandstand.testing.facts import Facts
from bandstand.testing.tokens import service_headers
from payments import commands
from payments.errors import PaymentCancelled
from payments.models import Payment

pytestmark = pytest.mark.django_db

UUID_A = UUID("019b76da-a800-7000-8000-00000000000a")


def test_a_cancel_before_the_payment_refuses_it_for_ever(
    orders: Client, provider: Caller, key: str, facts: Facts
) -> None:
    for _ in range(2):
        assert (cancel(orders, key).status_code, cancel(orders, key).json()) == (200, {"state": "cancelled"})
    for _ in range(2):
        assert problem(capture(orders, key)) == (409, "cancelled")
    assert (provider.show(key).status, facts()) == (404, [])
    assert orders.get(path(key)).json()["state"] == "cancelled"


def test_a_cancel_of_what_never_came_needs_no_provider(orders: Client, provider: Caller, key: str) -> None:
    provider.control("down")
    assert cancel(orders, key).json() == {"state": "cancelled"}


def test_a_cancel_after_the_capture_gives_the_money_back_once(
    orders: Client, provider: Caller, key: str, facts: Facts
) -> None:
    order_id = capture(orders, key).json()["order_id"]
    facts()
    for _ in range(2):
        assert cancel(orders, key).json() == {"state": "refunded"}
    assert problem(capture(orders, key)) == (409, "cancelled")
    assert facts() == [("payment_refunded.v1", {"key": key, "order_id": order_id, "amount": 1999})]
    charge = provider.show(key).data
    assert (charge["state"], charge["captured"], charge["refunded"]) == ("refunded", 1999, 1999)


def test_a_declined_payment_is_cancelled_as_it_stands(orders: Client, provider: Caller, key: str) -> None:
    body = wanted("tok_declined")
    put(orders, key, body)
    assert cancel(orders, key).json() == {"state": "cancelled"}
    assert problem(put(orders, key, body)) == (402, "PAYMENT_DECLINED")
    assert Payment.objects.get(key=key).state == "declined"


def test_a_cancel_is_confirmed_only_once_the_provider_has(orders: Client, provider: Caller, key: str) -> None:
    body = wanted()
    put(orders, key, body)
    provider.control("down")
    assert cancel(orders, key).status_code == 503
    assert problem(put(orders, key, body)) == (409, "cancelled")
    assert Payment.objects.get(key=key).state == "captured"
    provider.control("up")
    assert cancel(orders, key).json() == {"state": "refunded"}


@pytest.mark.django_db(transaction=True)
def test_a_cancel_during_the_capture_leaves_nothing_taken(provider: Caller, key: str) -> None:
    """The provider is asked for the money, the cancel comes in, then the provider says that it took it."""
    answers: list[Any] = []

    def ask() -> None:
        answers.append(capture(Client(headers=service_headers("orders")), key, "tok_slow"))
        connections.close_all()

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: provider.show(key).status == 200)
    assert cancel(Client(headers=service_headers("orders")), key).json() == {"state": "cancelled"}
    asking.join(timeout=20)
    assert problem(answers[0]) == (409, "cancelled")
    charge = provider.show(key).data
    assert (charge["state"], charge["captured"] - charge["refunded"]) == ("cancelled", 0)
    assert Payment.objects.get(key=key).state == "cancelled"


def test_an_outcome_that_comes_in_during_a_cancel_does_not_overtake_it(key: str, facts: Facts) -> None:
    """Each line is one committed step of two requests, in the order of the worst case."""
    charge = commands.Charge(order_id=UUID_A, user_id=UUID_A, amount_minor=500, currency="EUR")
    commands.intend_payment(key=key, charge=charge)
    commands.intend_cancel(key=key)
    assert commands.record_capture(key=key, amount_minor=500, currency="EUR").state == "pending"
    assert commands.record_decline(key=key, reason="late").state == "pending"
    assert commands.record_cancel(key=key, refunded=True).state == "refunded"
    assert commands.record_cancel(key=key, refunded=False).state == "refunded"
    assert [kind for kind, _ in facts()] == ["payment_refunded.v1"]
    with pytest.raises(PaymentCancelled):
        commands.intend_payment(key=key, charge=charge)
