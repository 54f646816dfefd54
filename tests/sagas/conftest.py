"""The stage on which a test turns a saga worker by hand."""

from collections.abc import Iterator

import pytest

from tests.sagas.stage import Stage, on_stage


@pytest.fixture
def stage(transactional_db: None) -> Iterator[Stage]:
    with on_stage() as found:
        yield found
