"""Fixtures of the catalogue's tests."""

from collections.abc import Callable
from typing import Any, Protocol
from uuid import uuid4

import pytest
from django.test import Client

from bandstand.testing.tokens import service_headers, user_headers
from products.commands import Content, create_product
from products.models import Product


class NewProduct(Protocol):
    """Adds a product, with what is not said made up."""

    def __call__(self, **content: Any) -> Product: ...


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_in_a_file: None) -> None:
    """Threads of these tests share it."""


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders")


@pytest.fixture
def new_product(db: None) -> NewProduct:
    """Add a product."""

    def make(**content: Any) -> Product:
        made_up = {"sku": f"SKU-{uuid4().hex[:8]}", "name": "Thing", "price_minor": 1999, "currency": "EUR"}
        return create_product(Content(**{**made_up, **content}))

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
