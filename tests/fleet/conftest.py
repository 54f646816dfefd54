"""One shop for all tests that leave it whole, and one for each that does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.shops import Shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop that is up and seeded; whoever breaks it waits until it has healed."""
    made = Shop(tmp_path_factory.mktemp("shop"))
    made.up()
    yield made
    made.down()


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop that one test may take down."""
    made = Shop(tmp_path / "shop")
    made.up()
    yield made
    made.down()
