"""Telling the loops of a service, in whichever process they run, that there is work for them."""

import logging

from bandstand.config import ConfigurationError, identity, section
from bandstand.events.backends import BusUnavailable, current_bus
from bandstand.events.config import EventsConfig

__all__ = ["consumers", "group_name", "relay", "relay_name"]

log = logging.getLogger(__name__)


def relay_name() -> str:
    """Under which name the relay of this service listens."""
    return f"{identity().name}.relay"


def group_name() -> str:
    """The consumer group of this service, which is also the name its consumer loop listens under."""
    return identity().name


def relay() -> None:
    """Say that the outbox has new rows. Never raises: it runs after a commit, and the safety poll finds them too."""
    _notify(relay_name())


def consumers() -> None:
    """Say that a waiting row is due. Never raises."""
    _notify(group_name())


def _notify(name: str) -> None:
    if not section(EventsConfig).bus_url:
        return
    try:
        current_bus().notify(name)
    except (BusUnavailable, ConfigurationError, OSError) as error:
        log.warning("bus.wake_up_failed", extra={"listener": name, "error": str(error)})
