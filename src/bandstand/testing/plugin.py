"""The pytest plugin: installed with the `test` extra, it only adds fixtures."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # the plugin is there in every session, also in those that need nothing of this
    from bandstand.testing.clock import HeldClock
    from bandstand.testing.facts import Facts
    from bandstand.testing.sagas import SagaStage

__all__ = ["database_in_a_file", "facts", "saga_stage", "time", "trust_issuers"]


@pytest.fixture(scope="session")
def trust_issuers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., None]]:
    """Call it with the names of issuers (`"users", "orders"`): their test tokens are trusted for the session."""
    from bandstand.testing.tokens import trusting  # noqa: PLC0415 - settings are needed, and not by every session

    folder: Path = tmp_path_factory.mktemp("trust")
    enabled = []

    def trust(*issuers: str) -> None:
        override = trusting(*issuers, folder=folder)
        override.enable()
        enabled.append(override)

    yield trust
    for override in reversed(enabled):
        override.disable()


@pytest.fixture(scope="session")
def database_in_a_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let SQLite's test database be a file: threads that share one in memory block each other as no service meets it.

    For a conftest whose `django_db_modify_db_settings` asks for it.
    """
    from django.db import connections  # noqa: PLC0415 - settings are needed

    settings = connections["default"].settings_dict
    if settings["ENGINE"] == "bandstand.database.sqlite":
        settings["TEST"]["NAME"] = str(tmp_path_factory.mktemp("db") / "test.sqlite3")


@pytest.fixture
def facts(db: None) -> "Facts":  # noqa: ARG001 - it is set up
    """What the service has published since the call before, as (type, data), oldest first."""
    from bandstand.testing.facts import facts_from_now  # noqa: PLC0415 - the plugin is loaded before there are settings

    return facts_from_now()


@pytest.fixture
def time() -> "Iterator[HeldClock]":
    """The clock, held. Ask for it before any client: a token from the future is refused."""
    from bandstand.testing.clock import held_clock  # noqa: PLC0415 - the plugin is loaded by every pytest, in need of it or not

    with held_clock() as held:
        yield held


@pytest.fixture
def saga_stage(transactional_db: None) -> "Iterator[SagaStage]":  # noqa: ARG001 - it is set up
    """The real saga worker, turned by hand while time stands still."""
    from bandstand.testing import sagas  # noqa: PLC0415 - as above

    with sagas.saga_stage() as found:
        yield found


@pytest.fixture(autouse=True)
def _no_wake_ups_left() -> Iterator[None]:
    """Close what events keep open beside Django's connections: a test database in use cannot be dropped."""
    yield
    wakeups = sys.modules.get("bandstand.events.wakeups")
    if wakeups is not None:
        wakeups.close()
