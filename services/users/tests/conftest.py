"""What every test of this service has: tokens that are trusted, people, what was published, and a held clock."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from bandstand.testing.tokens import user_headers
from users import commands
from users.models import User

PASSWORD = "four-Strings-0f-gut"
Join = Callable[..., User]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_in_a_file: None) -> None:
    """Threads of these tests share it."""


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders", "payments")


@pytest.fixture
def join(db: None) -> Join:
    """Make an account by the command, with the password of all tests."""

    def make(name: str = "ada", **fields: Any) -> User:
        wish = commands.NewUser(username=name, email=f"{name}@example.com", password=PASSWORD, **fields)
        return commands.register_user(user=commands.prepare_user(wish=wish))

    return make


@pytest.fixture
def ada(join: Join) -> User:
    """A user."""
    return join("ada", first_name="Ada")


@pytest.fixture
def as_ada(ada: User) -> Client:
    """A client signed in as that user."""
    return Client(headers=user_headers(user_id=ada.pk))


@pytest.fixture
def as_bob(join: Join) -> Client:
    """A client signed in as another user."""
    return Client(headers=user_headers(user_id=join("bob").pk))


@pytest.fixture
def as_staff() -> Client:
    """A client signed in as staff."""
    return Client(headers=user_headers(user_id=uuid4(), roles=["staff"]))
