"""Fixtures of the payments' tests: the real provider simulator, trusted tokens, a database in a file."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from services.payments.tests.asking import LATE_SECONDS, SECRET, SLOW_SECONDS, configured
from tests.chaos.provider_client import Caller
from tests.chaos.provider_process import ProviderProcess

from bandstand import clock
from bandstand.testing.tokens import service_headers, user_headers


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_in_a_file: None) -> None:
    """Threads of these tests share it."""


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders", "inventory")


@pytest.fixture(scope="session")
def _running_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    delays = ("--slow-seconds", str(SLOW_SECONDS), "--late-seconds", str(LATE_SECONDS))
    process = ProviderProcess(tmp_path_factory.mktemp("provider") / "ledger.jsonl", *delays)
    caller = Caller(process.url)
    with configured(PAYMENT_PROVIDER_URL=process.url, PAYMENT_WEBHOOK_SECRET=SECRET):
        yield caller
    caller.close()
    assert process.stop() == 0


@pytest.fixture
def provider(_running_provider: Caller) -> Iterator[Caller]:
    """The provider's simulator, up when the test begins and when it ends."""
    yield _running_provider
    _running_provider.control("up")


@pytest.fixture
def key() -> str:
    """A key as sagas make them."""
    return f"{clock.uuid7()}:capture_payment"


@pytest.fixture
def orders() -> Client:
    """A client with the token of the orders service, that sees what escapes as the answer it becomes."""
    return Client(headers=service_headers("orders"))


@pytest.fixture
def staff() -> Client:
    """A client signed in as staff."""
    return Client(headers=user_headers(user_id=uuid4(), roles=["staff"]))


@pytest.fixture
def webhook(client: Client) -> Callable[..., Any]:
    """Deliver a webhook as the provider would, or with whatever a forger changes."""

    def deliver(body: dict[str, Any], *, age: int = 0, secret: str = SECRET, sent: bytes | None = None) -> Any:
        raw, moment = json.dumps(body).encode(), int(clock.now().timestamp()) - age
        mac = hmac.new(secret.encode(), f"{moment}.".encode() + raw, hashlib.sha256).hexdigest()
        return client.post(
            "/api/v1/payments/webhook/",
            raw if sent is None else sent,
            content_type="application/json",
            headers={"Provider-Signature": f"t={moment},v1={mac}"},
        )

    return deliver
