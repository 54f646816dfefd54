"""The pytest plugin: installed with the `test` extra, it only adds fixtures."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

__all__ = ["trust_issuers"]


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


@pytest.fixture(autouse=True)
def _no_wake_ups_left() -> Iterator[None]:
    """Close what events keep open beside Django's connections: a test database in use cannot be dropped."""
    yield
    wakeups = sys.modules.get("bandstand.events.wakeups")
    if wakeups is not None:
        wakeups.close()
