"""The stage on which a test turns a saga worker by hand."""

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.sagas.stage import Stage, on_stage


@pytest.fixture
def stage(transactional_db: None) -> Iterator[Stage]:
    with on_stage() as found:
        yield found


@pytest.fixture
def keys(settings: Any) -> None:
    """A key for sensitive fields."""
    settings.BANDSTAND = {**settings.BANDSTAND, "SAGAS": {"CONTEXT_KEYS": Fernet.generate_key().decode()}}


@pytest.fixture
def alone(settings: Any) -> None:
    """One person is enough for everything."""
    settings.BANDSTAND = {**settings.BANDSTAND, "SAGAS": {"FOUR_EYES": ()}}
