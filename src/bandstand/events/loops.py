"""The loops as a worker starts them: the real ones where a bus is set, and otherwise one that says so and rests."""

import logging
import threading
from functools import partial

from bandstand.config import section
from bandstand.events.config import EventsConfig
from bandstand.events.consuming import ConsumerLoop
from bandstand.events.relay import RelayLoop
from bandstand.events.scheduling.loop import ScheduleLoop
from bandstand.lifecycle import Loop, register_loop

__all__ = ["register_loops"]

log = logging.getLogger(__name__)

_BEAT_SECONDS = 10.0


class _Resting(Loop):
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, stop: threading.Event) -> None:
        log.warning("events.no_bus", extra={"loop": self.name})
        while not stop.wait(_BEAT_SECONDS):
            self.beat()


def register_loops() -> None:
    """Offer `relay`, `consumers` and `schedule` to the worker."""
    register_loop(RelayLoop.name, partial(_loop, RelayLoop))
    register_loop(ConsumerLoop.name, partial(_loop, ConsumerLoop))
    register_loop(ScheduleLoop.name, ScheduleLoop)


def _loop(real: type[RelayLoop] | type[ConsumerLoop]) -> Loop:
    return real() if section(EventsConfig).bus_url else _Resting(real.name)
