"""Fixtures of the catalogue's tests."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client

from bandstand.events.models import OutboxRow
from bandstand.testing.clock import HeldClock, held_clock
from bandstand.testing.tokens import service_headers, user_headers
from products.commands import Content, create_product
from products.models import Product


class NewProduct(Protocol):
    """Adds a product, with what is not said made up."""

    def __call__(self, **content: Any) -> Product: ...


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Use a file: threads that share an in-memory database block each other in ways no service meets."""
    settings = connections["default"].settings_dict
    if settings["ENGINE"] == "bandstand.database.sqlite":
        settings["TEST"]["NAME"] = str(tmp_path_factory.mktemp("db") / "products.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders")


@pytest.fixture
def time() -> Iterator[HeldClock]:
    """The clock, held. Ask for it before any client: a token from the future is refused."""
    with held_clock() as held:
        yield held


@pytest.fixture
def new_product(db: None) -> NewProduct:
    """Add a product."""

    def make(**content: Any) -> Product:
        made_up = {"sku": f"SKU-{uuid4().hex[:8]}", "name": "Thing", "price_minor": 1999, "currency": "EUR"}
        return create_product(Content(**{**made_up, **content}))

    return make


@pytest.fixture
def facts(db: None) -> Callable[[], list[tuple[str, dict[str, Any]]]]:
    """What has been published since the call before, as (type, data), oldest first."""
    seen = 0

    def read() -> list[tuple[str, dict[str, Any]]]:
        nonlocal seen
        rows = list(OutboxRow.objects.filter(id__gt=seen).order_by("id"))
        seen = rows[-1].id if rows else seen
        return [(row.type.removeprefix("products."), json.loads(row.envelope)["data"]) for row in rows]

    return read


@pytest.fixture
def staff() -> Client:
    """A client signed in as staff."""
    return Client(headers=user_headers(user_id=uuid4(), roles=["staff"]))


@pytest.fixture
def shopper() -> Client:
    """A client signed in as an ordinary user."""
    return Client(headers=user_headers(user_id=uuid4()))


@pytest.fixture
def orders() -> Client:
    """A client with the token of the orders service."""
    return Client(headers=service_headers("orders"))
