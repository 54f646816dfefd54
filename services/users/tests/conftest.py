"""What every test of this service has: tokens that are trusted, people, what was published, and a held clock."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client

from bandstand.events.models import OutboxRow
from bandstand.testing.clock import HeldClock, held_clock
from bandstand.testing.tokens import user_headers
from users import commands
from users.models import User

PASSWORD = "four-Strings-0f-gut"
Join = Callable[..., User]
Facts = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Use a file: threads that share an in-memory database block each other in ways no service meets."""
    settings = connections["default"].settings_dict
    if settings["ENGINE"] == "bandstand.database.sqlite":
        settings["TEST"]["NAME"] = str(tmp_path_factory.mktemp("db") / "users.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _trust(trust_issuers: Callable[..., None]) -> None:
    trust_issuers("users", "orders", "payments")


@pytest.fixture
def time() -> Iterator[HeldClock]:
    """The clock, held."""
    with held_clock() as held:
        yield held


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


@pytest.fixture
def facts(db: None) -> Facts:
    """What has been published since the call before, as (type, data), oldest first."""
    seen = 0

    def read() -> list[tuple[str, dict[str, Any]]]:
        nonlocal seen
        rows = list(OutboxRow.objects.filter(id__gt=seen).order_by("id"))
        seen = rows[-1].id if rows else seen
        return [(row.type.removeprefix("users."), json.loads(row.envelope)["data"]) for row in rows]

    return read
