"""Fixtures of the participants' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from bandstand import clock
from bandstand.testing.tokens import service_headers, trusting


@pytest.fixture(autouse=True)
def _trust(tmp_path: Path) -> Iterator[None]:
    with trusting("orders", "tours", "users", folder=tmp_path):
        yield


@pytest.fixture
def key() -> str:
    """A key as sagas make them."""
    return f"{clock.uuid7()}:book"


@pytest.fixture
def orders() -> Client:
    """A client with the token of the orders service."""
    return Client(headers=service_headers("orders"))
