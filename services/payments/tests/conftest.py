"""What every test of this service has: tokens that are trusted."""

from collections.abc import Callable

import pytest


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders")
