"""The buses events travel on; `BANDSTAND["EVENTS"]["BUS_URL"]` chooses one by its scheme."""

import os
import threading
from importlib import import_module
from importlib.util import find_spec
from urllib.parse import urlsplit

from bandstand.config import ConfigurationError, Fault, section
from bandstand.events.backends.base import (
    Bus,
    BusUnavailable,
    Delivery,
    GroupReport,
    Message,
    Published,
    Subscription,
    Waiter,
)
from bandstand.events.config import EventsConfig

__all__ = [
    "Bus",
    "BusUnavailable",
    "Delivery",
    "GroupReport",
    "Message",
    "Published",
    "Subscription",
    "Waiter",
    "backend_of",
    "check_url",
    "current_bus",
    "open_bus",
    "shared_bus",
]

_BACKENDS = {
    "amqp": "bandstand.events.backends.rabbitmq:RabbitBus",
    "amqps": "bandstand.events.backends.rabbitmq:RabbitBus",
    "embedded": "bandstand.events.backends.embedded:EmbeddedBus",
    "kafka": "bandstand.events.backends.kafka:KafkaBus",
    "redis": "bandstand.events.backends.redis:RedisBus",
    "rediss": "bandstand.events.backends.redis:RedisBus",
}
_LIBRARIES = {
    "amqp": ("amqp", "rabbitmq"),
    "amqps": ("amqp", "rabbitmq"),
    "kafka": ("confluent_kafka", "kafka"),
    "redis": ("redis", "redis"),
    "rediss": ("redis", "redis"),
}
"""The module that a backend needs, and the extra that brings it."""

_open: dict[tuple[int, str], Bus] = {}
_guard = threading.Lock()


def check_url(url: str) -> str | None:
    """What is wrong with a bus URL, or None."""
    scheme = urlsplit(url).scheme
    if scheme in _BACKENDS:
        return _absent(scheme)
    known = ", ".join(f"{name}://" for name in sorted(_BACKENDS))
    if not url:
        return f"it is not set; expected one of {known}"
    return f"the scheme {scheme!r} is unknown; expected one of {known}"


def _absent(scheme: str) -> str | None:
    library, extra = _LIBRARIES.get(scheme, ("", ""))
    if not library or find_spec(library) is not None:
        return None
    return f"{scheme}:// needs the library {library!r}: pip install 'bandstand[{extra}]'"


def open_bus(url: str) -> Bus:
    """Open a bus of its own; whoever opens it closes it. Raises ConfigurationError for a URL no backend serves."""
    problem = check_url(url)
    if problem is not None:
        raise ConfigurationError([Fault(variable="BUS_URL", problem=problem)])
    return backend_of(url)(url)


def backend_of(url: str) -> type[Bus]:
    """The class that serves a URL which `check_url` finds nothing wrong with."""
    module, _, name = _BACKENDS[urlsplit(url).scheme].partition(":")
    backend: type[Bus] = getattr(import_module(module), name)
    return backend


def current_bus() -> Bus:
    """The bus of this service, opened once per process."""
    return shared_bus(section(EventsConfig).bus_url)


def shared_bus(url: str) -> Bus:
    """The bus at *url*, opened once per process: a child of a fork opens its own."""
    key = (os.getpid(), url)
    with _guard:
        bus = _open.get(key)
        if bus is None:
            bus = _open[key] = open_bus(url)
        return bus
