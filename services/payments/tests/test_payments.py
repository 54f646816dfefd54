"""Payments as their payers and staff see them."""

from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from services.payments.tests.asking import cancel, capture
from tests.chaos.provider_client import Caller

from bandstand.testing.tokens import service_headers, user_headers
from payments.models import Payment

pytestmark = pytest.mark.django_db

ANN, BOB = UUID("019b76da-a800-7000-8000-00000000000a"), UUID("019b76da-a800-7000-8000-00000000000b")


@pytest.fixture
def payments(orders: Client, provider: Caller, key: str) -> list[Payment]:
    """Two of Ann, then one of Bob, and a cancel of a payment that never came."""
    for number, payer in enumerate((ANN, ANN, BOB)):
        capture(orders, f"{key}-{number}", user_id=payer)
    cancel(orders, f"{key}-nobody")
    return list(Payment.objects.filter(order_id__isnull=False).order_by("created_at"))


def as_user(user_id: UUID, *roles: str) -> Client:
    return Client(headers=user_headers(user_id=user_id, roles=roles))


def listed(client: Client, query: str = "") -> list[str]:
    return [one["id"] for one in client.get(f"/api/v1/payments/{query}").json()["results"]]


def test_a_payer_sees_their_own_newest_first(payments: list[Payment]) -> None:
    first, second, of_bob = (str(payment.pk) for payment in payments)
    assert listed(as_user(ANN)) == [second, first]
    assert listed(as_user(BOB)) == [of_bob]
    assert listed(as_user(uuid4())) == []


def test_staff_see_all_but_the_tombstones(payments: list[Payment], staff: Client) -> None:
    assert listed(staff) == [str(payment.pk) for payment in reversed(payments)]


def test_a_payment_is_shown_as_the_contract_says(payments: list[Payment]) -> None:
    payment = payments[0]
    answer = as_user(ANN).get(f"/api/v1/payments/{payment.pk}/")
    shown = answer.json()
    assert (answer.status_code, sorted(shown)) == (
        200,
        ["amount", "created_at", "id", "order_id", "refunded", "state", "updated_at", "user_id"],
    )
    assert (shown["amount"], shown["refunded"]) == (
        {"amount": 1999, "currency": "EUR"},
        {"amount": 0, "currency": "EUR"},
    )
    assert (shown["state"], shown["user_id"], shown["order_id"]) == ("captured", str(ANN), str(payment.order_id))
    assert answer["ETag"]


def test_a_foreign_payment_is_as_absent_as_a_wrong_id(payments: list[Payment], orders: Client, key: str) -> None:
    tombstone = Payment.objects.get(key=f"{key}-nobody")
    answers = [as_user(BOB).get(f"/api/v1/payments/{each}/") for each in (payments[0].pk, uuid4(), tombstone.pk)]
    faults = [answer.json()["error"] for answer in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert len({(fault["code"], fault["message"], str(fault["details"])) for fault in faults}) == 1


def test_nobody_sees_payments_without_a_users_token(payments: list[Payment], client: Client) -> None:
    for asking in (client, Client(headers=service_headers("orders"))):
        assert asking.get("/api/v1/payments/").status_code == 401
        assert asking.get(f"/api/v1/payments/{payments[0].pk}/").status_code == 401


def test_the_owner_is_not_chosen_by_query(payments: list[Payment]) -> None:
    assert as_user(BOB).get(f"/api/v1/payments/?user_id={ANN}").status_code == 400


def test_payments_are_changed_by_nobody(payments: list[Payment], staff: Client) -> None:
    for method in (staff.put, staff.patch, staff.delete, staff.post):
        answer = method(f"/api/v1/payments/{payments[0].pk}/", {}, content_type="application/json")
        assert answer.status_code == 405


def test_the_audit_view_tells_what_was_given_back(payments: list[Payment], orders: Client) -> None:

    cancel(orders, payments[0].key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, order_id, amount, currency, state, refunded_amount FROM audit_payments")
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    assert rows[payments[0].key] == (str(payments[0].order_id), 1999, "EUR", "refunded", 1999)
    assert rows[payments[1].key][3:] == ("captured", 0)
    assert len(rows) == 4
