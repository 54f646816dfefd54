"""Watching the bus: a group of its own that begins now, disturbs no other, and is forgotten at the end."""

import os
import re
import socket
from collections.abc import Collection, Generator
from contextlib import closing, suppress
from datetime import datetime, timedelta

from bandstand import clock
from bandstand.events.backends import Bus, BusUnavailable, Message, current_bus
from bandstand.events.envelope import Envelope, UnreadableEnvelope
from bandstand.events.history import history

__all__ = ["is_tail", "watch"]

_AT_ONCE = 500
_QUIET = timedelta(seconds=1)
_FORGOTTEN_AFTER = timedelta(days=1)
_NAME = re.compile(r"tail\.(?P<host>.+)-(?P<pid>\d+)-(?P<start>\d+)")


def watch(types: Collection[str], *, since: datetime | None = None, follow: bool = True) -> Generator[Message]:
    """Events of these types as they pass, from now on or *since* then; without *follow* it ends where the bus does.

    Groups of tails that were killed are forgotten first. Close the iterator. Raises BusUnavailable, and NoHistory for
    *since* where nothing keeps the events.
    """
    bus = current_bus() if since is None else history()
    _forget_killed(bus)
    group = _own_name()
    bus.register(group, types, from_beginning=since is not None)
    try:
        with closing(_messages(bus, group, follow=follow)) as messages:
            for message in messages:
                if since is None or _published_since(message, since):
                    yield message
    finally:
        with suppress(BusUnavailable):  # the next tail forgets it
            bus.register(group, (), from_beginning=False)


def is_tail(group: str) -> bool:
    """Whether a group is that of a tail."""
    return _NAME.fullmatch(group) is not None


def _messages(bus: Bus, group: str, *, follow: bool) -> Generator[Message]:
    subscription = bus.subscribe(group)
    if subscription is None:
        raise BusUnavailable(f"somebody else reads for {group}")
    with closing(bus.waiter(group)) as waiter, closing(subscription):
        quiet_since = clock.monotonic()
        while follow or clock.monotonic() - quiet_since < _QUIET.total_seconds():
            deliveries = subscription.fetch(_AT_ONCE)
            if not deliveries:
                waiter.wait(_QUIET)
                continue
            for delivery in deliveries:
                yield delivery.message
            subscription.ack(deliveries[-1].position)
            subscription.flush()  # else the bus would keep for this tail what everybody else is done with
            quiet_since = clock.monotonic()


def _published_since(message: Message, since: datetime) -> bool:
    try:
        return Envelope.decoded(message.body).time >= since
    except UnreadableEnvelope:
        return True


def _own_name() -> str:
    return f"tail.{_host()}-{os.getpid()}-{int(clock.now().timestamp())}"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9._]", "_", socket.gethostname())


def _forget_killed(bus: Bus) -> None:
    for report in bus.groups():
        found = _NAME.fullmatch(report.name)
        if found is not None and _is_over(found):
            bus.register(report.name, (), from_beginning=False)


def _is_over(name: "re.Match[str]") -> bool:
    if name["host"] != _host():  # nobody can ask that host; a tail of a day ago is likely nobody's
        return clock.now().timestamp() - int(name["start"]) > _FORGOTTEN_AFTER.total_seconds()
    try:
        os.kill(int(name["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is somebody else's
        return False
    return False
