"""Fixtures of the orders' tests: trusted tokens, a catalogue, neighbours that answer over HTTP."""

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.test import Client, override_settings
from services.orders.tests.neighbours import Neighbours
from services.orders.tests.placing import ANN, BOB, NewProduct

from bandstand.replicas import fill
from bandstand.testing.tokens import user_headers
from orders.models import CatalogueProduct


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_in_a_file: None) -> None:
    """Threads of these tests share it."""


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "inventory")


@pytest.fixture(scope="session")
def _running_neighbours() -> Iterator[Neighbours]:
    running = Neighbours()
    yield running
    running.close()


@pytest.fixture
def neighbours(_running_neighbours: Neighbours) -> Iterator[Neighbours]:
    """Users, products, inventory and payments; all willing when the test begins."""
    _running_neighbours.forget()
    addresses = dict.fromkeys(("users", "products", "inventory", "payments"), _running_neighbours.url)
    with override_settings(BANDSTAND={**settings.BANDSTAND, "DISCOVERY": {"SERVICES": addresses}}):
        yield _running_neighbours


@pytest.fixture
def new_product(db: None) -> NewProduct:
    """Put a product into the replica of the catalogue."""

    def make(price: int = 1999, currency: str = "EUR") -> UUID:
        product_id = uuid4()
        sku = f"SKU-{product_id.hex[:8]}"
        fill([CatalogueProduct(product_id=product_id, sku=sku, name="A product", price_minor=price, currency=currency)])
        return product_id

    return make


@pytest.fixture
def ann() -> Client:
    """A client signed in as Ann."""
    return Client(headers=user_headers(user_id=ANN))


@pytest.fixture
def bob() -> Client:
    """A client signed in as Bob."""
    return Client(headers=user_headers(user_id=BOB))


@pytest.fixture
def staff() -> Client:
    """A client signed in as staff."""
    return Client(headers=user_headers(user_id=uuid4(), roles=["staff"]))
