"""The loops as a worker starts them: the real ones where a bus is set, and otherwise one that says so and rests."""

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial

from bandstand.config import section
from bandstand.events.config import EventsConfig
from bandstand.events.consuming import ConsumerLoop
from bandstand.events.groups import Group, group_of, groups
from bandstand.events.relay import RelayLoop
from bandstand.events.scheduling.loop import ScheduleLoop
from bandstand.lifecycle import Loop, register_loop, register_loop_family

__all__ = ["consumer_loops", "register_loops"]

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
    """Offer `relay`, `schedule`, `consumers`, and `consumers.<group>` for each further group, to the worker."""
    register_loop(RelayLoop.name, partial(_loop, RelayLoop, RelayLoop.name))
    register_loop_family(ConsumerLoop.name, _consuming)
    register_loop(ScheduleLoop.name, ScheduleLoop)


def consumer_loops(names: Iterable[str]) -> list[str]:
    """The loops of the groups, or of the consumers, that are named; `all` names all. Raises NotFound."""
    known = groups()
    chosen = [known if name == "all" else [group_of(name, known)] for name in names]
    return sorted({_name_of(group) for found in chosen for group in found})


def _consuming() -> dict[str, Callable[[], Loop]]:
    return {_name_of(group): partial(_loop, partial(ConsumerLoop, group), _name_of(group)) for group in groups()}


def _name_of(group: Group) -> str:
    _, _, own = group.name.partition(".")
    return f"{ConsumerLoop.name}.{own}" if own else ConsumerLoop.name


def _loop(real: Callable[[], Loop], name: str) -> Loop:
    return real() if section(EventsConfig).bus_url else _Resting(name)
