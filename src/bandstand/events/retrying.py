"""How long to wait before trying again."""

import random
from datetime import timedelta

from bandstand.events.config import EventsConfig

__all__ = ["outage_pause", "pause_after"]

_LONGEST_OUTAGE_PAUSE = timedelta(seconds=5)


def pause_after(failures: int, config: EventsConfig) -> timedelta:
    """The pause after so many failures in a row: exponential up to the cap, with jitter over its upper half."""
    full = min(config.retry_cap, config.retry_base * (1 << min(failures - 1, 30)))
    return full * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, protects nothing


def outage_pause(failures: int, config: EventsConfig) -> timedelta:
    """The pause after the bus or the database could not be used: shorter, for a loop must stay responsive."""
    return min(_LONGEST_OUTAGE_PAUSE, pause_after(failures, config))
