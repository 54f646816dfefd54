"""Idempotency keys: at most one effect, the first answer again, no key blocked for ever."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory

from bandstand.testing.clock import HeldClock, held_clock
from bandstand.web import idempotency
from bandstand.web.models import IdempotencyClaim
from tests.project.models import Product

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.web.api")]

KEY = "key-0001"
BODY = {"sku": "A", "name": "Lamp", "price": {"amount": 100, "currency": "EUR"}}


def post(path: str = "/orders/", body: Any = None, *, key: str | None = KEY, caller: str = "alice") -> Any:
    headers = {"X-Caller": caller} | ({"Idempotency-Key": key} if key is not None else {})
    return Client(raise_request_exception=False).post(
        path,
        body if isinstance(body, str) else json.dumps(body or {}),
        content_type="application/json",
        headers=headers,
    )


def rule(response: Any) -> str:
    details = response.json()["error"]["details"]
    return str(details.get("business_rule") or details.get("conflict"))


@pytest.fixture
def held() -> Iterator[HeldClock]:
    with held_clock() as held:
        yield held


def test_the_same_request_again_gets_the_first_answer_and_has_no_second_effect() -> None:
    first, again = post("/products/", BODY), post("/products/", BODY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first["Location"] == again["Location"]
    assert first["Content-Type"] == again["Content-Type"]
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert Product.objects.count() == 1


def test_the_order_of_keys_and_a_trailing_slash_make_no_other_request() -> None:
    post("/products/", '{"sku": "A", "name": "B", "price": {"amount": 1, "currency": "EUR"}}')
    again = post("/products", '{"price":{"currency":"EUR","amount":1},"name":"B","sku":"A"}')
    assert again["Idempotency-Replayed"] == "true"


def test_another_body_under_the_same_key_is_refused() -> None:
    post(body={"note": 1})
    refused = post(body={"note": 2})
    assert (refused.status_code, rule(refused)) == (422, "idempotency_key_reused")
    assert Product.objects.count() == 1


def test_a_key_belongs_to_its_principal_and_its_route() -> None:
    assert [post().status_code, post(caller="bob").status_code, post("/products/", BODY).status_code] == [202, 202, 201]
    assert Product.objects.count() == 3


def test_for_anonymous_callers_the_body_stands_for_the_principal() -> None:
    assert post(body={"note": 1}, caller="").status_code == 202
    assert post(body={"note": 2}, caller="").status_code == 202
    assert post(body={"note": 1}, caller="")["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", [None, "", "short", "x" * 256, "x" * 10_000, "key 00001", "schlüssel", "a" * 8 + "\n"])
def test_a_missing_or_ill_formed_key_is_refused_where_one_is_required(key: str | None) -> None:
    response = post(key=key)
    assert response.status_code == 400
    assert list(response.json()["error"]["details"]["field_errors"]) == ["Idempotency-Key"]
    assert not Product.objects.exists()


def test_without_a_key_an_endpoint_that_only_accepts_one_just_runs() -> None:
    assert post("/products/", BODY, key=None).status_code == 201
    assert not IdempotencyClaim.objects.exists()


@pytest.mark.parametrize(
    ("before", "status"), [("rule", 422), ("remote fails", 503), ("refused", 409), ("forgotten", 200)]
)
def test_a_request_without_effect_gives_its_key_back_at_once(before: str, status: int) -> None:
    assert post(body={"before": before}).status_code == status
    assert not IdempotencyClaim.objects.exists()
    assert post(body={"before": ""}).status_code == 202


def test_a_request_whose_first_is_still_running_is_told_so(held: HeldClock) -> None:
    _abandon()
    running = post()
    assert (running.status_code, rule(running)) == (409, "in_progress")
    assert running["Retry-After"] == "1"


def test_a_lease_that_ran_out_is_taken_over(held: HeldClock) -> None:
    _abandon()
    held.sleep(31)
    assert post().status_code == 202
    assert IdempotencyClaim.objects.get().epoch == 2
    assert post()["Idempotency-Replayed"] == "true"


def test_who_lost_the_lease_cannot_complete_and_its_effect_is_rolled_back(held: HeldClock) -> None:
    row = _abandon()
    slow = idempotency.Claim(scope=row.scope, epoch=1)
    held.sleep(31)
    assert post().status_code == 202
    with pytest.raises(idempotency.RequestInProgress):
        _finish(slow)
    assert not Product.objects.filter(sku="late").exists()
    assert post()["Idempotency-Replayed"] == "true"


def test_answers_are_kept_for_a_day_and_then_purged(held: HeldClock) -> None:
    post()
    held.sleep(24 * 3600 - 1)
    assert (idempotency.purge(), post()["Idempotency-Replayed"]) == (0, "true")
    held.sleep(2)
    assert "Idempotency-Replayed" not in post()
    held.sleep(24 * 3600 + 1)
    assert (idempotency.purge(), idempotency.purge()) == (1, 0)


def test_identical_requests_at_once_have_one_effect() -> None:
    def attempt(_: int) -> tuple[int, str]:
        try:
            response = post()
            refusal = rule(response) if response.status_code > 300 else ""
            return response.status_code, response.get("Idempotency-Replayed", refusal)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(24)))
    assert Product.objects.count() == 1
    assert answers.count((202, "")) == 1
    assert set(answers) <= {(202, ""), (202, "true"), (409, "in_progress")}


def test_a_claim_within_a_transaction_is_refused() -> None:
    """It would vanish with the transaction, and the key with it."""
    request = RequestFactory().post("/orders/", b"{}", "application/json", headers={"Idempotency-Key": KEY})
    with pytest.raises(RuntimeError), transaction.atomic():
        idempotency.begin(request)


def _abandon() -> IdempotencyClaim:
    """Leave what a process leaves that died between its claim and its answer."""
    post()
    row = IdempotencyClaim.objects.get()
    Product.objects.all().delete()
    IdempotencyClaim.objects.update(status=None, body=b"")
    return row


def _finish(claim: idempotency.Claim) -> None:
    with claim.answering() as answer:
        Product.objects.create(sku="late", name="late")
        answer(HttpResponse(b"{}", status=202, content_type="application/json"))
