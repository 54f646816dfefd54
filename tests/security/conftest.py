"""One fleet for all attacks."""

from collections.abc import Iterator

import pytest

from tests.security.shop import Shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The shop as a real fleet, stopped at the end whatever happened."""
    made = Shop(tmp_path_factory.mktemp("attacked") / "data")
    try:
        made.up()
        yield made
    finally:
        made.down()
