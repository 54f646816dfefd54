"""Fleets that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fleet_unit.fleets import MANIFEST, Fleet


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[Callable[..., Fleet]]:
    """Make fleets that are stopped at the end of the test."""
    made: list[Fleet] = []

    def make(name: str = "fleet", manifest: str = MANIFEST) -> Fleet:
        made.append(Fleet(tmp_path / name, manifest))
        return made[-1]

    yield make
    for fleet in made:
        fleet.down()


@pytest.fixture
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    """A fleet of two stand-ins that is up."""
    made = make_fleet()
    made.up()
    return made


@pytest.fixture(scope="module")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet for tests that only ask it something."""
    made = Fleet(tmp_path_factory.mktemp("shared"))
    made.up()
    yield made
    made.down()
