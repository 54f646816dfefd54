"""Notices over Redis pub/sub: *a notice that nobody hears at that moment is lost*, also while a listener reconnects.

For hints that may be missed, such as "look again now". What must not be missed is an event: `bandstand.events.publish`.
Offered where the bus is on Redis, and refused elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import msgspec

from bandstand import clock
from bandstand.config import ConfigurationError, Fault, section
from bandstand.events.backends import current_bus
from bandstand.events.config import EventsConfig

if TYPE_CHECKING:
    from bandstand.events.backends.redis.bus import Notices, RedisBus

__all__ = ["Listener", "announce", "listen"]

_SCHEMES = ("redis", "rediss")


def announce(name: str, data: Any) -> int:
    """Tell whoever listens to *name* at this moment, and return how many that are. Raises BusUnavailable.

    It knows no transaction: what was announced stays so after a rollback.
    """
    return _bus().announce(name, msgspec.json.encode(data).decode())


class Listener:
    """What is announced under one name from now on; belongs to one thread."""

    def __init__(self, notices: "Notices") -> None:
        self._notices = notices

    def next(self, timeout: timedelta) -> Any:
        """The data of the next notice, or None after *timeout*.

        Raises BusUnavailable; the next call connects anew, and what was announced in between is lost.
        """
        deadline = clock.monotonic() + timeout.total_seconds()
        while (left := deadline - clock.monotonic()) > 0:
            found = self._notices.next(left)
            if found is not None:
                return msgspec.json.decode(found)
        return None


@contextmanager
def listen(name: str) -> Iterator[Listener]:
    """Listen to *name* for as long as the block lasts. Raises BusUnavailable."""
    notices = _bus().notices(name)
    try:
        yield Listener(notices)
    finally:
        notices.close()


def _bus() -> "RedisBus":
    if urlsplit(section(EventsConfig).bus_url).scheme not in _SCHEMES:
        problem = "notices need Redis pub/sub, and this bus is not on Redis; publish an event instead"
        raise ConfigurationError([Fault(variable="BUS_URL", problem=problem, expected="redis://host:port/db")])
    return cast("RedisBus", current_bus())
