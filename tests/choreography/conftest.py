"""The service that watches, on its own database, while time stands still."""

from collections.abc import Iterator

import pytest

from bandstand.sagas.choreography.declaration import choreographies
from bandstand.testing.clock import HeldClock
from tests.choreography.world import World, declare
from tests.events.staging import own_registry, staged


@pytest.fixture
def declarations() -> Iterator[None]:
    """Forget afterwards what is declared within."""
    before = {each.name for each in choreographies}
    with own_registry():
        yield
    for name in {each.name for each in choreographies} - before:
        choreographies.forget(name)


@pytest.fixture
def world(tmp_path, transactional_db: None, declarations: None, time: HeldClock) -> Iterator[World]:
    with staged(tmp_path):
        yield World(time, declare())
