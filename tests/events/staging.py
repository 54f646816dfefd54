"""A service with a bus of its own, whose loops a test turns by hand or starts for real."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from tests.events.postgres import ALIAS

from bandstand import clock
from bandstand.config import section
from bandstand.events import registry, upcasting
from bandstand.events.backends import Bus, current_bus
from bandstand.events.config import EventsConfig
from bandstand.events.consuming import ConsumerLoop
from bandstand.events.groups import group_of, groups
from bandstand.events.history import publisher
from bandstand.events.relay import Relay
from bandstand.lifecycle import start_loops


def on_both(**settings: object) -> pytest.MarkDecorator:
    """Run a test with the fixture `theatre` on the project's database and on PostgreSQL."""
    # A fixture that another one asks for while it runs is not seen by pytest-django; a mark is.
    default = pytest.param(("default", settings), marks=pytest.mark.django_db(transaction=True), id="default")
    return pytest.mark.parametrize("theatre", [default, pytest.param((ALIAS, settings), id=ALIAS)], indirect=True)


@contextmanager
def own_registry() -> Iterator[None]:
    """Forget afterwards what is declared within."""
    kept = [registry._declared, registry._consumers, registry._local, upcasting._upcasters]
    before = [{key: copy(value) for key, value in each.items()} for each in kept]
    try:
        yield
    finally:
        for each, contents in zip(kept, before, strict=True):
            each.clear()
            each.update(contents)


class Stage:
    """The events of one service under test."""

    def __init__(self) -> None:
        self.config = section(EventsConfig)
        self.bus: Bus = current_bus()
        self._loop: ConsumerLoop | None = None

    def relay(self) -> int:
        """Relay until nothing is accepted; return how many were."""
        relay = Relay(publisher(), self.config)
        moved = 0
        while count := relay.run_once():
            moved += count
        relay.stop()
        return moved

    def consume(self, turns: int = 1, *, group: str = "") -> None:
        """Turn the loop of a group of consumers; of the service's own unless one is named."""
        if self._loop is None:
            self._loop = ConsumerLoop(group_of(group, groups()) if group else None)
        for _ in range(turns):
            self._loop._consume()

    def restart(self) -> None:
        """End the consumer loop as a crash does: nothing is flushed."""
        if self._loop is not None:
            if self._loop._lanes is not None:
                self._loop._lanes.close()
                self._loop._lanes = None
            self._loop._waiter.close()
            subscription, self._loop._subscription = self._loop._subscription, None
            if subscription is not None:
                subscription._lock.close()
        self._loop = None

    def carry(self) -> None:
        """Relay everything and apply it."""
        self.relay()
        self.consume(3)

    @contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Run real loops in threads."""
        worker = start_loops(names or ("relay", "consumers"))
        try:
            yield
        finally:
            worker.drain(timedelta(seconds=10))

    def eventually(self, condition: Callable[[], object], *, seconds: float = 10) -> None:
        """Wait for a condition under a deadline."""
        deadline = clock.monotonic() + seconds
        while not condition():
            assert clock.monotonic() < deadline, "it did not become true in time"
            clock.sleep(0.002)

    def close(self) -> None:
        self.restart()
        self.bus.close()


@contextmanager
def staged(folder: Path, **events: object) -> Iterator[Stage]:
    """A stage whose bus lies in *folder* and whose relay marks at once; *events* are settings of the section EVENTS."""
    values = deepcopy(django_settings.BANDSTAND)
    defaults = {"BUS_URL": f"embedded:///{folder}/bus.sqlite3", "MARK_INTERVAL": timedelta(0)}
    values["EVENTS"] = {**defaults, **events}
    with override_settings(BANDSTAND=values):
        found = Stage()
        try:
            yield found
        finally:
            found.close()
