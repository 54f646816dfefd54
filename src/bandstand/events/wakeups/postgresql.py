"""Wake-ups by NOTIFY, which costs the writers of events nothing.

NOTIFY within the business transaction would order all commits of the database behind one lock. Here a commit only
sets a flag; a thread with a connection of its own sends at most one NOTIFY every few milliseconds for all of them.
"""

import contextlib
import logging
import random
import select
import socket
import threading
from datetime import timedelta
from typing import Any

from django.db import connections

from bandstand import clock
from bandstand.events.backends.base import Waiter

__all__ = ["ListeningWaiter", "Notifier"]

log = logging.getLogger(__name__)

_CHANNEL = "bandstand_{}"

# The next NOTIFY rests many times as long as the last one took, so that on a busy machine, where it takes long, the
# writers keep what it would cost.
_SHARE, _SHORTEST_REST, _LONGEST_REST = 10, 0.005, 0.05
_IDLE_SECONDS = 60.0
_TO_CONNECT_SECONDS = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Notifier:
    """Sends the wake-ups of this process. Its thread starts with the first one and must not be carried over a fork."""

    def __init__(self, alias: str) -> None:
        self._link = _Link(alias, name="bandstand notify")
        self._names: set[str] = set()
        self._due = threading.Event()
        self._closing = threading.Event()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    def notify(self, name: str) -> None:
        """Have those who wait as *name* notified soon; returns at once and never raises."""
        self._names.add(name)
        self._due.set()
        if self._thread is None:
            with self._guard:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="bandstand-notify", daemon=True)
                    self._thread.start()

    def close(self) -> None:
        """Send what is due, then end the thread and its connection."""
        self._closing.set()
        thread = self._thread
        if thread is not None:
            self._due.set()
            thread.join(_TO_CONNECT_SECONDS)

    def _run(self) -> None:
        try:
            while not self._closing.is_set() or self._due.is_set():
                if not self._due.wait(_IDLE_SECONDS):
                    self._link.close()  # who publishes once a day keeps no connection for it
                    self._due.wait()
                self._due.clear()
                begun = clock.monotonic()
                self._send()
                took = clock.monotonic() - begun
                self._closing.wait(min(_LONGEST_REST, max(_SHORTEST_REST, _SHARE * took)))
        finally:
            self._link.close()

    def _send(self) -> None:
        connection = self._link.connection()
        if connection is not None:
            channels = [_CHANNEL.format(self._names.pop()) for _ in range(len(self._names))]
            try:
                connection.execute("SELECT pg_notify(channel, '') FROM unnest(%s::text[]) channel", (channels,))
            except self._link.errors as error:
                self._link.lost(error)


class ListeningWaiter(Waiter):
    """What a loop waits on: one LISTENing connection, made by the first wait and again after it was lost."""

    def __init__(self, alias: str, name: str) -> None:
        self._channel = _CHANNEL.format(name)
        self._link = _Link(alias, name="bandstand listen")
        self._inner, self._outer = socket.socketpair()
        self._inner.setblocking(False)
        self._outer.setblocking(False)
        self._listening: Any = None

    def wait(self, timeout: timedelta) -> None:
        """Block until a NOTIFY comes or until *timeout*; returns at once when it has just begun to listen."""
        connection = self._link.connection()
        if connection is not self._listening and self._listen(connection):
            return  # a wake-up may have been missed meanwhile
        poll = select.poll()
        poll.register(self._inner, select.POLLIN)
        if connection is not None:
            poll.register(connection.fileno(), select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, timeout.total_seconds()) * 1000)}
        with contextlib.suppress(BlockingIOError):
            while self._inner.recv(1024):
                continue
        if connection is not None and connection.fileno() in ready:
            self._drain(connection)

    def wake(self) -> None:
        """End a wait, or the next one."""
        with contextlib.suppress(OSError):  # full, so it will wake up anyway, or closed
            self._outer.send(b"\0")

    def close(self) -> None:
        """Stop listening."""
        self._link.close()
        self._inner.close()
        self._outer.close()

    def _listen(self, connection: Any) -> bool:
        self._listening = connection
        if connection is None:
            return False
        try:
            connection.execute(f'LISTEN "{self._channel}"')
        except self._link.errors as error:
            self._link.lost(error)
        return True

    def _drain(self, connection: Any) -> None:
        try:
            for _ in connection.notifies(timeout=0):
                continue
        except self._link.errors as error:
            self._link.lost(error)


class _Link:
    """A connection outside of Django's, without transactions, made again with growing pauses when it was lost."""

    def __init__(self, alias: str, *, name: str) -> None:
        self._alias = alias
        self._name = name
        self._open: Any = None
        self._failures = 0
        self._not_before = 0.0
        self.errors: tuple[type[Exception], ...] = (connections[alias].Database.Error, OSError)  # type: ignore[attr-defined]  # the driver, which each wrapper names

    def connection(self) -> Any:
        """The connection, opened if need be; None while the server is out of reach."""
        if self._open is None and clock.monotonic() >= self._not_before:
            try:
                self._open = self._connect()
                self._failures = 0
            except self.errors as error:
                self.lost(error)
        return self._open

    def lost(self, error: Exception) -> None:
        """Give the connection up and pause before the next one."""
        self.close()
        if not self._failures:
            log.warning("loop.wake_ups_interrupted", extra={"connection": self._name, "error": str(error)})
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter keeps no secret
        self._failures = min(self._failures + 1, 10)
        self._not_before = clock.monotonic() + pause

    def close(self) -> None:
        """Close the connection; asking for it opens another."""
        connection, self._open = self._open, None
        if connection is not None:
            connection.close()

    def _connect(self) -> Any:
        wrapper: Any = connections[self._alias]
        parameters = wrapper.get_connection_params()
        parameters.setdefault("connect_timeout", _TO_CONNECT_SECONDS)
        parameters["application_name"] = self._name
        connection = wrapper.Database.connect(**parameters, autocommit=True)
        # What is lost by a crash of the server are hints.
        connection.execute("SET synchronous_commit = off")
        return connection
