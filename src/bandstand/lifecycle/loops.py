"""Work that goes on beside requests: relay, consumers, saga runner."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import ClassVar

from django.db import close_old_connections

from bandstand import clock, context

__all__ = ["Loop", "register_loop", "register_loop_family", "registered_loops"]


class Loop(ABC):
    """One background activity of a process, run in a daemon thread of its own and started again when it crashes.

    `run` works until *stop* is set and finishes its unit of work first. Wrap each unit in `with self.iteration():`.
    """

    name: str = ""
    stall_after: ClassVar[timedelta] = timedelta(seconds=60)
    """How old the last heartbeat may be before liveness fails; more than the longest unit of work."""

    _beaten: float | None = None

    @abstractmethod
    def run(self, stop: threading.Event) -> None:
        """Work until *stop* is set. Raising means a crash: it is logged and a new loop is made after a pause."""

    def wake(self) -> None:  # noqa: B027 - optional: most loops wait on `stop` itself
        """Interrupt a wait on something else than `stop`; called from another thread once `stop` is set."""

    def beat(self) -> None:
        """Record that the loop is alive; call it at least once per unit of work and per idle wait."""
        self._beaten = clock.monotonic()

    @property
    def is_stalled(self) -> bool:
        """Whether the last heartbeat is older than `stall_after`."""
        return self._beaten is not None and clock.monotonic() - self._beaten > self.stall_after.total_seconds()

    @contextmanager
    def iteration(self) -> Iterator[None]:
        """Run one unit of work: a heartbeat, a fresh context, and database connections as fresh as a request's.

        Django drops unusable connections around requests only; without this a loop would keep a dead one for ever.
        """
        self.beat()
        close_old_connections()
        try:
            with context.bound(context.Context()):
                yield
        finally:
            close_old_connections()


Factories = Mapping[str, Callable[[], Loop]]

_factories: dict[str, Callable[[], Factories]] = {}


def register_loop(name: str, factory: Callable[[], Loop]) -> None:
    """Offer a loop under *name*; `AppConfig.ready` calls this. The factory runs only in the thread of a worker."""
    _factories[name] = lambda: {name: factory}


def register_loop_family(name: str, members: Callable[[], Factories]) -> None:
    """Offer the loops that *members* returns by the time they are asked for: *name*, and others `<name>.<member>`."""
    _factories[name] = members


def registered_loops() -> MappingProxyType[str, Callable[[], Loop]]:
    """What `start_loops` can start, by name, in the order of registration."""
    return MappingProxyType({name: make for members in _factories.values() for name, make in members().items()})
