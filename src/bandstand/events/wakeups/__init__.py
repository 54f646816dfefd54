"""Telling a loop of this service, in whichever process it runs, that the database has new rows for it.

The way is the database's own: sockets beside an SQLite file, NOTIFY on PostgreSQL, whatever the bus. A wake-up is a
hint; one that got lost costs the safety poll.
"""

import atexit
import logging
import os
import threading
from pathlib import Path

from django.db import connections

from bandstand.config import section
from bandstand.events.backends.base import Waiter
from bandstand.events.backends.wakeup import WakeFolder
from bandstand.events.config import EventsConfig
from bandstand.events.wakeups.postgresql import ListeningWaiter, Notifier
from bandstand.events.wakeups.threads import ThreadWaiter

__all__ = ["ThreadWaiter", "close", "relay", "relay_waiter", "waiter", "wake"]

log = logging.getLogger(__name__)

_RELAY = "relay"
_folders: dict[tuple[int, Path], WakeFolder] = {}
_notifiers: dict[tuple[int, str], Notifier] = {}
_guard = threading.Lock()


def wake(name: str) -> None:
    """Wake whoever waits as *name*. Never raises: it runs after a commit, and the safety poll finds the rows too."""
    alias = section(EventsConfig).database
    if connections[alias].vendor == "postgresql":
        _notifier(alias).notify(name)
        return
    try:
        folder = _folder(alias)
        if folder is None:
            ThreadWaiter.wake_all(name)
        else:
            folder.generation()
            folder.notify(name)
    except OSError as error:
        log.warning("loop.wake_up_failed", extra={"loop": name, "error": str(error)})


def waiter(name: str) -> Waiter:
    """What a loop waits on: woken by every process that shares the database's file or server, else by this process."""
    alias = section(EventsConfig).database
    if connections[alias].vendor == "postgresql":
        return ListeningWaiter(alias, name)
    folder = _folder(alias)
    return ThreadWaiter(name) if folder is None else folder.waiter(name)


def relay() -> None:
    """Say that the outbox has new rows."""
    wake(_RELAY)


def relay_waiter() -> Waiter:
    """What the relay waits on."""
    return waiter(_RELAY)


def close() -> None:
    """Send what is due and give the connections back; a later `wake` opens anew."""
    with _guard:
        notifiers = [_notifiers.pop(key) for key in tuple(_notifiers) if key[0] == os.getpid()]
    for notifier in notifiers:
        notifier.close()


atexit.register(close)  # a command that publishes and ends at once still wakes the relay


def _notifier(alias: str) -> Notifier:
    key = (os.getpid(), alias)
    found = _notifiers.get(key)
    if found is None:
        with _guard:
            found = _notifiers.get(key)
            if found is None:
                found = _notifiers[key] = Notifier(alias)
    return found


def _folder(alias: str) -> WakeFolder | None:
    """The folder beside the SQLite file; None where there is no file."""
    connection = connections[alias]
    name = str(connection.settings_dict["NAME"])
    if connection.vendor != "sqlite" or not os.path.isabs(name):  # noqa: PTH117 - the name may be no path at all
        return None
    key = (os.getpid(), Path(f"{name}.wake"))
    with _guard:
        if key not in _folders:
            _folders[key] = WakeFolder(key[1])
        return _folders[key]
