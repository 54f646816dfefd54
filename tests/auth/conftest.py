"""Keys and settings for the tests of auth."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from bandstand.auth.keys import generate_key, public_jwk


@pytest.fixture(scope="session")
def user_key() -> dict[str, Any]:
    return generate_key()


@pytest.fixture(scope="session")
def orders_key() -> dict[str, Any]:
    return generate_key()


@pytest.fixture
def as_service(tmp_path: Path, user_key: dict[str, Any], orders_key: dict[str, Any]) -> Iterator[Callable[..., None]]:
    """Make this process the named service of a fleet in which users and orders have keys."""
    keys = {"users": user_key, "orders": orders_key}
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps({name: {"keys": [public_jwk(key)]} for name, key in keys.items()}))
    active = []

    def become(name: str, **auth: Any) -> None:
        section = {"TRUST_FILE": trust, "SIGNING_KEY": json.dumps(keys[name]) if name in keys else "", **auth}
        override = override_settings(BANDSTAND={"SERVICE": {"NAME": name, "ENVIRONMENT": "test"}, "AUTH": section})
        override.enable()
        active.append(override)

    yield become
    for override in reversed(active):
        override.disable()
