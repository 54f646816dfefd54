"""Refunds by staff: in parts, never more than was taken, once for each key, also when the provider's word is lost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from services.payments.tests.asking import cancel, capture, problem
from tests.chaos.provider_client import Caller

from bandstand.testing.facts import Facts
from bandstand.testing.tokens import service_headers, user_headers
from payments.models import Payment, Refund

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(orders: Client, provider: Caller, key: str, facts: Facts) -> Payment:
    """1999 cents taken."""
    assert capture(orders, key).status_code == 201
    facts()
    return Payment.objects.get(key=key)


def ask(client: Client, payment: Payment, body: Any, *, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(
        f"/api/v1/payments/{payment.pk}/refunds/", body, content_type="application/json", headers=headers
    )


def refunded(payment: Payment, provider: Caller) -> tuple[int, int]:
    """What our books and the provider's say."""
    payment.refresh_from_db()
    return payment.refunded_minor, provider.show(payment.key).data["refunded"]


def test_a_part_and_then_the_rest(staff: Client, payment: Payment, provider: Caller, facts: Facts) -> None:
    answer = ask(staff, payment, {"amount": 500})
    assert answer.status_code == 201
    assert answer.json() == answer.json() | {"payment_id": str(payment.pk), "amount": 500}
    assert ask(staff, payment, {}).json()["amount"] == 1499
    assert refunded(payment, provider) == (1999, 1999)
    assert [data["amount"] for _, data in facts()] == [500, 1499]
    assert payment.state == "captured"
    shown = staff.get(f"/api/v1/payments/{payment.pk}/").json()
    assert shown["refunded"] == {"amount": 1999, "currency": "EUR"}


def test_more_than_is_left_is_refused(staff: Client, payment: Payment, provider: Caller) -> None:
    assert problem(ask(staff, payment, {"amount": 2000})) == (422, "refund_exceeds_payment")
    ask(staff, payment, {"amount": 1999})
    for body in ({"amount": 1}, {}):
        assert problem(ask(staff, payment, body)) == (422, "refund_exceeds_payment")
    assert refunded(payment, provider) == (1999, 1999)


@pytest.mark.parametrize("amount", [0, -1, 5.0, 4.99, "5", True, None, 2**63])
def test_an_amount_that_is_none_is_refused_and_never_means_all(
    staff: Client, payment: Payment, provider: Caller, amount: Any
) -> None:
    assert problem(ask(staff, payment, {"amount": amount})) == (400, "VALIDATION_ERROR")
    assert refunded(payment, provider) == (0, 0)


def test_a_repeat_with_its_key_is_one_refund(staff: Client, payment: Payment, provider: Caller) -> None:
    first = ask(staff, payment, {"amount": 500}, key="refund-0001")
    again = ask(staff, payment, {"amount": 500}, key="refund-0001")
    assert (again.status_code, again.json(), again["Idempotency-Replayed"]) == (201, first.json(), "true")
    assert problem(ask(staff, payment, {"amount": 501}, key="refund-0001")) == (422, "idempotency_key_reused")
    assert refunded(payment, provider) == (500, 500)


def test_a_refund_the_provider_did_not_confirm_is_finished_by_its_repeat(
    staff: Client, payment: Payment, provider: Caller, facts: Facts
) -> None:
    provider.control("down")
    assert ask(staff, payment, {"amount": 500}, key="refund-0001").status_code == 503
    assert (Refund.objects.get().state, facts()) == ("open", [])
    provider.control("up")
    assert problem(ask(staff, payment, {"amount": 600}, key="refund-0001")) == (422, "idempotency_key_reused")
    assert ask(staff, payment, {"amount": 500}, key="refund-0001").status_code == 201
    assert (refunded(payment, provider), Refund.objects.count()) == ((500, 500), 1)


def test_what_an_open_refund_set_aside_is_not_given_twice(staff: Client, payment: Payment, provider: Caller) -> None:
    provider.control("down")
    ask(staff, payment, {"amount": 1500})
    provider.control("up")
    assert problem(ask(staff, payment, {"amount": 500})) == (422, "refund_exceeds_payment")


def test_a_refund_the_provider_refuses_is_over(
    staff: Client, payment: Payment, provider: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    provider.refund(payment.key, "given-back-by-telephone", 1800)
    assert problem(ask(staff, payment, {"amount": 500})) == (422, "refund_exceeds_payment")
    assert Refund.objects.get().state == "refused"
    assert ask(staff, payment, {"amount": 199}).status_code == 201
    assert "refund.refused" in caplog.text


def test_a_cancelled_payment_has_nothing_left_to_give_back(
    staff: Client, orders: Client, payment: Payment, provider: Caller
) -> None:
    ask(staff, payment, {"amount": 500})
    cancel(orders, payment.key)
    assert problem(ask(staff, payment, {})) == (422, "refund_exceeds_payment")
    assert provider.show(payment.key).data["refunded"] == 1999
    shown = staff.get(f"/api/v1/payments/{payment.pk}/").json()
    assert (shown["state"], shown["refunded"]["amount"]) == ("refunded", 1999)


def test_only_staff_give_money_back(client: Client, orders: Client, payment: Payment) -> None:
    assert ask(client, payment, {}).status_code == 401
    owner = Client(headers=user_headers(user_id=payment.user_id))
    assert ask(owner, payment, {}).status_code == 403
    assert ask(Client(headers=service_headers("orders")), payment, {}).status_code == 401
    assert not Refund.objects.exists()


def test_a_payment_that_does_not_exist_cannot_be_refunded(staff: Client, payment: Payment) -> None:
    payment.pk = uuid4()
    assert problem(ask(staff, payment, {})) == (404, "NOT_FOUND")


@pytest.mark.django_db(transaction=True)
def test_many_refunds_at_once_never_exceed_the_payment(payment: Payment, provider: Caller) -> None:
    headers = user_headers(user_id=uuid4(), roles=["staff"])

    def give(_: int) -> int:
        try:
            return int(ask(Client(headers=headers), payment, {"amount": 600}).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        answers = sorted(pool.map(give, range(6)))
    assert answers == [201, 201, 201, 422, 422, 422]
    assert refunded(payment, provider) == (1800, 1800)
