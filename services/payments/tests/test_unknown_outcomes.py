"""What the provider did not say clearly is no outcome: nothing final is noted, and the repeat finds out."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.test import Client
from services.payments.tests.asking import cancel, capture, configured, path, put, wanted
from tests.chaos.provider_client import Caller
from tests.fleet_unit.fleets import until

from bandstand.errors import DeadlineExceeded, ServiceUnavailable
from bandstand.testing.facts import Facts
from payments import clients
from payments.models import Payment

pytestmark = pytest.mark.django_db

SILENT = "The payment provider did not answer in time."


def state_of(key: str) -> str:
    return Payment.objects.get(key=key).state


def test_a_provider_that_is_down_leaves_the_payment_open(
    orders: Client, provider: Caller, key: str, facts: Facts
) -> None:
    provider.control("down")
    body = wanted("tok_down")
    answer = put(orders, key, body)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert (state_of(key), facts()) == ("pending", [])
    provider.control("up")
    assert put(orders, key, body).status_code == 201


def test_a_provider_that_nobody_reaches_leaves_the_payment_open(orders: Client, key: str) -> None:
    with configured(PAYMENT_PROVIDER_URL="http://127.0.0.1:9"):
        for answer in (capture(orders, key), cancel(orders, key)):
            assert answer.status_code == 503
            assert answer.json()["error"]["message"] == "The payment provider does not answer."
    assert Payment.objects.get(key=key).cancel_requested
    assert state_of(key) == "pending"


def test_a_provider_that_fails_twice_takes_the_money_once(orders: Client, provider: Caller, key: str) -> None:
    body = wanted("tok_flaky")
    until(lambda: put(orders, key, body).status_code == 201)
    assert provider.show(key).data["captured"] == 1999


def test_a_lost_answer_is_asked_for_again(orders: Client, provider: Caller, key: str, facts: Facts) -> None:
    body = wanted("tok_lost")
    until(lambda: put(orders, key, body).status_code == 201)
    assert (provider.show(key).data["captured"], len(facts())) == (1999, 1)


def test_a_slow_provider_is_left_after_the_caller_has_gone_and_answers_the_repeat(
    orders: Client, provider: Caller, key: str
) -> None:
    body = wanted("tok_slow")
    answer = put(orders, key, body, patience_ms=100)
    assert (answer.status_code, answer.json()["error"]["message"]) == (504, SILENT)
    assert state_of(key) == "pending"
    until(lambda: put(orders, key, body).status_code == 201)


def test_a_busy_provider_is_not_waited_for(orders: Client, provider: Caller, key: str) -> None:
    """A thread that waits for the provider is missing for other payments; the saga comes back by itself."""
    body = wanted("tok_late")
    assert put(orders, key, body, patience_ms=100).status_code == 504
    assert put(orders, key, body).status_code == 503
    until(lambda: put(orders, key, body).status_code == 201)
    assert provider.show(key).data["captured"] == 1999


def test_a_provider_that_hangs_does_not_hold_every_thread(provider: Caller, key: str) -> None:
    """Whoever finds no place hears so at once, and the threads that are left answer probes and cancellations."""

    def charge(name: str, method: str) -> str:
        money = {"amount": 1999, "currency": "EUR", "payment_method": method, "reference": uuid4()}
        return clients.charge(f"{key}:{name}", **money).state

    with configured(PAYMENT_PROVIDER_CALLS="1", PAYMENT_PROVIDER_TIMEOUT_SECONDS="2"), ThreadPoolExecutor() as pool:
        hanging = pool.submit(charge, "hangs", "tok_late")
        until(lambda: provider.request("GET", f"/v1/charges/{key}:hangs").status == 200)
        with pytest.raises(ServiceUnavailable, match="Too many payments wait"):
            charge("other", "tok_ok")
        assert isinstance(hanging.exception(), DeadlineExceeded)
        assert charge("other", "tok_ok") == "captured"


def test_a_late_charge_that_was_cancelled_is_never_executed(orders: Client, provider: Caller, key: str) -> None:
    body = wanted("tok_late")
    put(orders, key, body, patience_ms=100)
    assert cancel(orders, key).json() == {"state": "cancelled"}
    assert put(orders, key, body).status_code == 409
    charge = provider.show(key).data
    assert (charge["state"], charge["captured"], state_of(key)) == ("cancelled", 0, "cancelled")


def test_a_charge_undone_at_the_provider_itself_is_noted(orders: Client, provider: Caller, key: str) -> None:
    provider.cancel(key)
    body = wanted()
    for _ in range(2):
        assert put(orders, key, body).status_code == 409
    assert orders.get(path(key)).json()["state"] == "cancelled"


def test_another_amount_in_the_answer_is_no_capture(orders: Client, provider: Caller, key: str, facts: Facts) -> None:
    """The provider's books and ours disagree: an error for a person, nothing recorded."""
    body = wanted()
    provider.request(
        "PUT",
        f"/v1/charges/{key}",
        {"amount": 1, "currency": "EUR", "payment_method": "tok_ok", "reference": body["order_id"]},
    )
    assert put(orders, key, body).status_code == 502
    assert (state_of(key), facts()) == ("pending", [])
