"""Waiters for buses whose subscriptions run a thread of their own: it knows first what has come."""

import threading
from datetime import timedelta

from bandstand.events.backends.base import Waiter

__all__ = ["Waiters"]


class Waiters:
    """The waiters of one process, by group."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiters: dict[str, set[_Waiter]] = {}

    def add(self, group: str) -> Waiter:
        """One more for *group*."""
        waiter = _Waiter(self, group)
        with self._guard:
            self._waiters.setdefault(group, set()).add(waiter)
        return waiter

    def wake(self, group: str) -> None:
        """Wake all of *group*."""
        with self._guard:
            waiters = list(self._waiters.get(group, ()))
        for waiter in waiters:
            waiter.wake()

    def forget(self, waiter: "_Waiter", group: str) -> None:
        """Wake it no more."""
        with self._guard:
            self._waiters[group].discard(waiter)


class _Waiter(Waiter):
    def __init__(self, waiters: Waiters, group: str) -> None:
        self._waiters = waiters
        self._group = group
        self._woken = threading.Event()

    def wait(self, timeout: timedelta) -> None:
        """Block until woken or until *timeout*."""
        self._woken.wait(max(0.0, timeout.total_seconds()))
        self._woken.clear()

    def wake(self) -> None:
        """End the wait."""
        self._woken.set()

    def close(self) -> None:
        """Be woken no more."""
        self._waiters.forget(self, self._group)
