"""Webhooks: signed, fresh, and harmless however often and in whatever order they come."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test import Client
from services.payments.tests.asking import SECRET, cancel, capture, configured, put, wanted
from tests.chaos.provider_client import Caller
from tests.fleet_unit.fleets import until

from bandstand.testing.facts import Facts
from bandstand.testing.tokens import service_headers
from payments import commands
from payments.models import Payment

pytestmark = pytest.mark.django_db
Deliver = Callable[..., Any]


def captured(key: str, **changes: Any) -> dict[str, Any]:
    moment = "2026-01-01T12:00:00Z"
    told = {"state": "captured", "amount": 1999, "currency": "EUR", "at": moment}
    return {"id": str(uuid4()), "type": "charge.captured", "key": key, **told, **changes}


@pytest.fixture
def pending(key: str) -> str:
    """A payment whose answer was lost."""
    charge = commands.Charge(order_id=uuid4(), user_id=uuid4(), amount_minor=1999, currency="EUR")
    commands.intend_payment(key=key, charge=charge)
    return key


def state_of(key: str) -> str:
    return Payment.objects.get(key=key).state


def test_a_webhook_settles_a_payment_whose_answer_was_lost(webhook: Deliver, pending: str, facts: Facts) -> None:
    body = captured(pending)
    assert [webhook(body).status_code for _ in range(10)] == [200] * 10
    assert (state_of(pending), [kind for kind, _ in facts()]) == ("captured", ["payment_captured.v1"])


@pytest.mark.parametrize(
    "forgery",
    [
        {"secret": "another-secret"},
        {"age": 301},
        {"age": -301},
        {"sent": json.dumps(captured("some-other-key")).encode()},
    ],
    ids=["secret", "old", "from the future", "another body"],
)
def test_a_forged_or_stale_webhook_is_refused(webhook: Deliver, pending: str, forgery: dict[str, Any]) -> None:
    assert webhook(captured(pending), **forgery).status_code == 401
    assert state_of(pending) == "pending"


@pytest.mark.parametrize("signature", [None, "", "t=1", "v1=" + "0" * 64, "t=x,v1=" + "0" * 64, "t=1,v1=" + "É" * 64])
def test_an_ill_formed_signature_is_refused(client: Client, pending: str, signature: str | None) -> None:
    headers = {} if signature is None else {"Provider-Signature": signature}
    answer = client.post(
        "/api/v1/payments/webhook/", captured(pending), content_type="application/json", headers=headers
    )
    assert answer.status_code == 401


def test_without_a_secret_every_webhook_is_refused(webhook: Deliver, pending: str) -> None:
    with configured(PAYMENT_WEBHOOK_SECRET=""):
        assert webhook(captured(pending), secret="").status_code == 401


@pytest.mark.parametrize("change", [{"amount": 1}, {"currency": "USD"}], ids=str)
def test_another_amount_is_taken_in_by_nobody(
    webhook: Deliver, pending: str, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert webhook(captured(pending, **change)).status_code == 200
    assert state_of(pending) == "pending"
    assert "webhook.does_not_fit" in caplog.text


def test_an_unknown_key_is_told_to_a_person(webhook: Deliver, key: str, caplog: pytest.LogCaptureFixture) -> None:
    assert webhook(captured(key)).status_code == 200
    assert not Payment.objects.exists()
    assert [record.levelno for record in caplog.records if record.msg == "webhook.does_not_fit"] == [logging.ERROR]


@pytest.mark.parametrize(
    "body",
    [{"id": 7}, [], {"id": "x", "type": "charge.captured", "key": "k", "amount": "1999", "currency": "EUR"}],
    ids=["number", "list", "amount as text"],
)
def test_what_is_no_webhook_is_refused(webhook: Deliver, body: Any) -> None:
    assert webhook(body).status_code == 400


def test_only_posts_are_taken(client: Client) -> None:
    assert client.get("/api/v1/payments/webhook/").status_code == 405


def test_a_webhook_during_a_cancel_leaves_it_to_the_cancel(webhook: Deliver, pending: str) -> None:
    commands.intend_cancel(key=pending)
    assert webhook(captured(pending)).status_code == 200
    assert state_of(pending) == "pending"


def test_a_webhook_after_the_refund_changes_nothing(
    webhook: Deliver, orders: Client, provider: Caller, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    capture(orders, key)
    cancel(orders, key)
    assert webhook(captured(key)).status_code == 200
    assert state_of(key) == "refunded"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_capture_after_the_cancel_is_given_back_at_once(
    webhook: Deliver, orders: Client, provider: Caller, key: str
) -> None:
    """A provider without tombstones may take the money late; ours stands in for one after a direct charge."""
    cancel(orders, key)
    provider.charge(key)
    assert webhook(captured(key)).status_code == 200
    charge = provider.show(key).data
    assert (charge["captured"] - charge["refunded"], state_of(key)) == (0, "cancelled")


def test_the_provider_repeats_until_a_capture_after_the_cancel_can_be_given_back(
    webhook: Deliver, orders: Client, provider: Caller, key: str
) -> None:
    cancel(orders, key)
    provider.charge(key)
    provider.control("down")
    assert webhook(captured(key)).status_code == 503


@pytest.mark.parametrize("kind", ["charge.refunded", "charge.cancelled", "charge.disputed"])
def test_other_webhooks_are_taken_and_change_nothing(webhook: Deliver, pending: str, kind: str) -> None:
    assert webhook(captured(pending, type=kind)).status_code == 200
    assert state_of(pending) == "pending"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """The access log of the service is enough."""


@pytest.fixture
def url(transactional_db: None) -> Iterator[str]:
    """Where this service answers over HTTP."""

    def serve() -> None:
        server.serve_forever(poll_interval=0.05)
        connections.close_all()

    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=_Quiet) as server:
        serving = threading.Thread(target=serve)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_the_provider_itself_delivers(url: str, provider: Caller, key: str, facts: Facts) -> None:
    """`tok_dup` sends its webhook before its answer and twice more, `tok_late` before anybody asks again."""
    provider.request("PUT", "/v1/webhook", {"url": f"{url}/api/v1/payments/webhook/", "secret": SECRET})
    orders = Client(headers=service_headers("orders"))
    assert capture(orders, key, "tok_dup").status_code == 201
    put(orders, f"{key}-late", wanted("tok_late"), patience_ms=100)
    until(lambda: state_of(f"{key}-late") == "captured")
    assert [(kind, data["key"]) for kind, data in facts()] == [
        ("payment_captured.v1", key),
        ("payment_captured.v1", f"{key}-late"),
    ]
