"""Where published events stay readable: the bus itself or, beside a bus that forgets, an event store.

The store is a second bus that keeps history, and every event goes into it first. So what is on the bus is also in the
store, and what is read from the store until a group is registered on the bus leaves no gap.
"""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from bandstand.config import section
from bandstand.errors import BusinessRuleViolated
from bandstand.events.backends import (
    Bus,
    BusUnavailable,
    Message,
    Published,
    backend_of,
    check_url,
    current_bus,
    shared_bus,
)
from bandstand.events.config import EventsConfig

__all__ = ["NoHistory", "Publisher", "Recorder", "event_store", "history", "history_url", "publisher", "store_problem"]

_KEEPING = "embedded://, redis://, kafka:// or amqp://"


class NoHistory(BusinessRuleViolated):
    """Nothing keeps the events that were published."""

    rule = "bus_keeps_no_history"


class Publisher(Protocol):
    """Takes events, as a bus does."""

    def publish(self, messages: Sequence[Message]) -> Published:
        """As `Bus.publish`."""


def event_store() -> Bus | None:
    """The event store of this service, opened once per process; None where it is the bus itself, or none is set."""
    config = section(EventsConfig)
    return None if config.event_store in {"", config.bus_url} else shared_bus(config.event_store)


def history() -> Bus:
    """The bus that still has what was published. Raises NoHistory where there is none."""
    return shared_bus(history_url())


def history_url() -> str:
    """Where `history` is, without opening it. Raises NoHistory."""
    config = section(EventsConfig)
    url = config.event_store or config.bus_url
    if not backend_of(url).keeps_history:
        raise NoHistory(
            f"{urlsplit(url).scheme}:// keeps no history; set EVENT_STORE in every service to a bus of {_KEEPING},"
            " which keeps what is published from then on"
        )
    return url


def store_problem() -> str | None:
    """What is wrong with the URL of the event store, or None."""
    config = section(EventsConfig)
    if not config.event_store:
        return None
    if (problem := check_url(config.event_store)) is not None:
        return problem
    if not backend_of(config.event_store).keeps_history:
        return f"{urlsplit(config.event_store).scheme}:// keeps no history; use {_KEEPING}"
    return None


def publisher() -> Publisher:
    """What the relay publishes to: the bus, after the event store where there is one."""
    store, bus = event_store(), current_bus()
    return Recorder(store, bus) if store is not None else bus


class Recorder:
    """Publishes what the event store has taken. Not thread-safe."""

    def __init__(self, store: Bus, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._stored: set[str] = set()
        """Those of the last batch that only the store has: an outage of the bus must not fill it with copies."""

    def publish(self, messages: Sequence[Message]) -> Published:
        """Publish to both; an event counts as accepted when both have it. Raises BusUnavailable."""
        refused = self._keep(messages)
        stored = [message for message in messages if message.event_id in self._stored]
        if not stored:
            return Published(accepted=frozenset(), refused=refused)
        published = self._bus.publish(stored)
        self._stored -= published.accepted
        return Published(accepted=published.accepted, refused=refused | published.refused)

    def _keep(self, messages: Sequence[Message]) -> dict[str, str]:
        """Store those that are not yet, and return which are refused."""
        self._stored &= {message.event_id for message in messages}
        fresh = [message for message in messages if message.event_id not in self._stored]
        if not fresh:
            return {}
        try:
            kept = self._store.publish(fresh)
        except BusUnavailable as error:
            raise BusUnavailable(f"the event store cannot be used: {error}") from error
        self._stored |= kept.accepted
        return {event_id: f"the event store refuses it: {reason}" for event_id, reason in kept.refused.items()}
