"""The loop that settles what crashes and lost answers left open."""

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from services.payments.tests.asking import cancel, capture, configured
from tests.chaos.provider_client import Caller
from tests.fleet_unit.fleets import until

from bandstand import clock
from bandstand.errors import ServiceUnavailable
from bandstand.testing.facts import Facts
from payments import commands, queries
from payments.consumers import ReconciliationLoop
from payments.models import Comparison, Payment, Refund

pytestmark = pytest.mark.django_db


@pytest.fixture
def loop(provider: Caller) -> ReconciliationLoop:
    """The loop, comparing from now on: the charges of other tests are none of its business."""
    Comparison.objects.create(until=clock.now() + timedelta(seconds=5))
    return ReconciliationLoop()


def intended(key: str) -> Payment:
    charge = commands.Charge(order_id=uuid4(), user_id=uuid4(), amount_minor=1999, currency="EUR")
    return commands.intend_payment(key=key, charge=charge)


def charged(provider: Caller, payment: Payment, method: str = "tok_ok", *, amount: int = 1999) -> None:
    """The provider was asked, and its answer was lost on the way."""
    body = {"amount": amount, "currency": "EUR", "payment_method": method, "reference": str(payment.order_id)}
    provider.request("PUT", f"/v1/charges/{payment.key}", body)


def age() -> None:
    """Let everything open be ten seconds older."""
    long_ago = clock.now() - timedelta(seconds=11)
    Payment.objects.filter(open_since__isnull=False).update(open_since=long_ago)
    Refund.objects.update(created_at=long_ago)


def state_of(key: str) -> str:
    return Payment.objects.get(key=key).state


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.msg for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(("method", "state"), [("tok_ok", "captured"), ("tok_declined", "declined")])
def test_an_outcome_nobody_asks_for_any_more_is_found(
    loop: ReconciliationLoop, provider: Caller, key: str, facts: Facts, method: str, state: str
) -> None:
    charged(provider, intended(key), method)
    age()
    for _ in range(2):
        loop.reconcile()
    assert (state_of(key), [kind for kind, _ in facts()]) == (state, [f"payment_{state}.v1"])


def test_a_charge_that_never_arrived_is_left_to_its_caller(
    loop: ReconciliationLoop, provider: Caller, key: str
) -> None:
    intended(key)
    age()
    loop.reconcile()
    assert (state_of(key), provider.show(key).status) == ("pending", 404)


def test_an_open_cancel_is_finished(
    loop: ReconciliationLoop, provider: Caller, orders: Client, key: str, facts: Facts
) -> None:
    capture(orders, key)
    provider.control("down")
    assert cancel(orders, key).status_code == 503
    provider.control("up")
    age()
    loop.reconcile()
    assert (state_of(key), provider.show(key).data["refunded"]) == ("refunded", 1999)
    assert [kind for kind, _ in facts()] == ["payment_captured.v1", "payment_refunded.v1"]


def test_an_open_refund_is_finished_and_a_refused_one_closed(
    loop: ReconciliationLoop, provider: Caller, orders: Client, key: str
) -> None:
    for name in (f"{key}-a", f"{key}-b"):
        capture(orders, name)
        payment = Payment.objects.get(key=name)
        commands.intend_refund(payment_id=payment.pk, amount_minor=500, request_key=None)
    provider.refund(f"{key}-b", "given-back-by-telephone", 1999)
    age()
    loop.reconcile()
    assert {refund.payment.key[-1]: refund.state for refund in Refund.objects.all()} == {"a": "done", "b": "refused"}
    assert Payment.objects.get(key=f"{key}-a").refunded_minor == 500


def test_what_is_still_young_is_left_to_those_at_work(loop: ReconciliationLoop, provider: Caller, key: str) -> None:
    charged(provider, intended(key))
    loop.reconcile()
    assert state_of(key) == "pending"


def test_a_late_charge_of_a_cancelled_payment_is_given_back(
    loop: ReconciliationLoop, provider: Caller, orders: Client, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A provider without tombstones may take the money after the cancel; ours stands in for one."""
    Comparison.objects.update(until=clock.now())
    cancel(orders, key)
    provider.charge(key)
    for _ in range(2):
        loop.reconcile()
    charge = provider.show(key).data
    assert (charge["state"], charge["refunded"], state_of(key)) == ("refunded", 1999, "cancelled")
    assert errors(caplog).count("reconciliation.captured_after_cancel") == 1


def test_a_charge_without_a_payment_is_told_once_and_left_alone(
    loop: ReconciliationLoop, provider: Caller, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    Comparison.objects.update(until=clock.now())
    provider.charge(key)
    for _ in range(2):
        loop.reconcile()
    told = [record.key for record in caplog.records if record.msg == "reconciliation.orphan_charge"]
    assert told.count(key) == 1
    assert provider.show(key).data["state"] == "captured"


def test_one_payment_the_provider_contradicts_holds_up_no_other(
    loop: ReconciliationLoop, provider: Caller, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    charged(provider, intended(f"{key}-a"), amount=1)
    charged(provider, intended(f"{key}-b"))
    age()
    for _ in range(2):
        loop.reconcile()
    assert (state_of(f"{key}-a"), state_of(f"{key}-b")) == ("pending", "captured")
    assert errors(caplog) == ["reconciliation.not_understood"]


def test_the_comparison_goes_on_where_the_last_one_ended(
    loop: ReconciliationLoop, provider: Caller, orders: Client, key: str
) -> None:
    Comparison.objects.update(until=clock.now() - timedelta(seconds=1))
    capture(orders, key)
    loop.reconcile()
    changed = provider.all()[key]["updated_at"]
    until_then = queries.compared_until()
    assert until_then is not None
    assert clock.rfc3339(until_then) == changed


def test_a_round_without_news_writes_nothing(loop: ReconciliationLoop) -> None:
    with CaptureQueriesContext(connections["default"]) as seen:
        loop.reconcile()
    assert {query["sql"].split()[0] for query in seen} == {"SELECT"}


def test_a_round_while_the_provider_is_away_notes_nothing(loop: ReconciliationLoop, provider: Caller, key: str) -> None:
    intended(key)
    age()
    provider.control("down")
    with pytest.raises(ServiceUnavailable):
        loop.reconcile()
    assert state_of(key) == "pending"


@pytest.fixture
def _hurried() -> Iterator[None]:
    with configured(PAYMENT_RECONCILE_EVERY_SECONDS="0.05"):
        yield


def run(loop: ReconciliationLoop, stop: threading.Event) -> None:
    try:
        loop.run(stop)
    finally:
        connections.close_all()


@pytest.mark.usefixtures("_hurried")
@pytest.mark.django_db(transaction=True)
def test_the_loop_outlives_an_outage_and_tells_of_it_once(
    loop: ReconciliationLoop, provider: Caller, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    def told(name: str) -> int:
        return [record.msg for record in caplog.records].count(name)

    caplog.set_level(logging.INFO)
    charged(provider, intended(key))
    age()
    provider.control("down")
    stop = threading.Event()
    running = threading.Thread(target=run, args=(loop, stop))
    running.start()
    try:
        until(lambda: told("reconciliation.cut_off"))
        assert not loop.is_stalled
        provider.control("up")
        until(lambda: state_of(key) == "captured")
        until(lambda: told("reconciliation.resumed"))
    finally:
        stop.set()
        running.join(timeout=20)
    assert (told("reconciliation.cut_off"), errors(caplog), running.is_alive()) == (1, [], False)
