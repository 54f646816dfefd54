"""Fixtures of the inventory's tests."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.db.models import Sum
from django.test import Client

from bandstand.events.models import OutboxRow
from bandstand.testing.clock import HeldClock, held_clock
from bandstand.testing.tokens import service_headers, user_headers
from inventory.commands import adjust_stock, open_stock
from inventory.models import Movement, Stock

NewStock = Callable[[int], UUID]
Numbers = Callable[[UUID], tuple[int, int, int]]
Facts = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Use a file: threads that share an in-memory database block each other in ways no service meets."""
    settings = connections["default"].settings_dict
    if settings["ENGINE"] == "bandstand.database.sqlite":
        settings["TEST"]["NAME"] = str(tmp_path_factory.mktemp("db") / "inventory.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders", "payments")


@pytest.fixture
def time() -> Iterator[HeldClock]:
    """The clock, held."""
    with held_clock() as held:
        yield held


@pytest.fixture
def new_stock(db: None) -> NewStock:
    """Make a product's stock row with so many units."""

    def make(units: int) -> UUID:
        product_id = uuid4()
        open_stock(product_id=product_id, sku=f"SKU-{product_id.hex[:8]}")
        if units:
            adjust_stock(product_id=product_id, delta=units, reason="delivery")
        return product_id

    return make


@pytest.fixture
def facts(db: None) -> Facts:
    """What has been published since the call before, as (type, data), oldest first."""
    seen = 0

    def read() -> list[tuple[str, dict[str, Any]]]:
        nonlocal seen
        rows = list(OutboxRow.objects.filter(id__gt=seen).order_by("id"))
        seen = rows[-1].id if rows else seen
        return [(row.type.removeprefix("inventory."), json.loads(row.envelope)["data"]) for row in rows]

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


@pytest.fixture
def numbers(db: None) -> Numbers:
    """Tell (available, held, sold) of a product."""

    def read(product_id: UUID) -> tuple[int, int, int]:
        stock = Stock.objects.get(pk=product_id)
        return stock.available, stock.held, stock.sold

    return read


@pytest.fixture
def agree(db: None) -> Callable[[], None]:
    """Assert that every stock row equals the fold of its ledger."""

    def check() -> None:
        for stock in Stock.objects.all():
            sums = Movement.objects.filter(product=stock).aggregate(
                *(Sum(bucket, default=0) for bucket in ("available", "held", "sold"))
            )
            moved = {name.removesuffix("__sum"): units for name, units in sums.items()}
            moved["restocked"] = sum(moved.values())
            assert moved == {name: getattr(stock, name) for name in moved}

    return check
