"""The stage as a fixture."""

from collections.abc import Iterator

import pytest
from tests.events.staging import Stage, own_registry, staged


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    with own_registry():
        yield


@pytest.fixture
def stage(tmp_path, transactional_db, request) -> Iterator[Stage]:
    """Settings may come as `@pytest.mark.parametrize("stage", [{…}], indirect=True)`."""
    with staged(tmp_path, **getattr(request, "param", {})) as found:
        yield found
