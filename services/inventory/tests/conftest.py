"""Fixtures of the inventory's tests."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.db.models import Sum
from django.test import Client

from bandstand.testing.tokens import service_headers, user_headers
from inventory.commands import adjust_stock, open_stock
from inventory.models import Movement, Stock

NewStock = Callable[[int], UUID]
Numbers = Callable[[UUID], tuple[int, int, int]]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_in_a_file: None) -> None:
    """Threads of these tests share it."""


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders", "payments")


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
