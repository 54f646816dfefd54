"""Fixtures for the provider protocol: set PROVIDER_UNDER_TEST to hold another implementation against the suite."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.chaos.provider_client import Caller, Receiver
from tests.chaos.provider_process import ProviderProcess


@pytest.fixture(scope="module")
def provider_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = os.environ.get("PROVIDER_UNDER_TEST")
    if given:
        yield given.rstrip("/")
        return
    ledger = tmp_path_factory.mktemp("provider") / "ledger.jsonl"
    process = ProviderProcess(ledger, "--slow-seconds", "0.5", "--late-seconds", "1")
    yield process.url
    assert process.stop() == 0


@pytest.fixture
def provider(provider_url: str) -> Iterator[Caller]:
    caller = Caller(provider_url)
    caller.control("up")
    yield caller
    caller.close()


@pytest.fixture
def key() -> str:
    return f"{uuid4()}:capture_payment"


@pytest.fixture
def receiver(provider: Caller) -> Iterator[Receiver]:
    receiver = Receiver()
    provider.request("PUT", "/v1/webhook", {"url": receiver.url, "secret": receiver.secret})
    yield receiver
    receiver.close()
