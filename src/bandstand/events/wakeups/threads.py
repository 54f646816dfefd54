"""Wake-ups within one process: for databases that only this process can see."""

import threading
from datetime import timedelta
from typing import ClassVar

from bandstand.events.backends.base import Waiter

__all__ = ["ThreadWaiter"]


class ThreadWaiter(Waiter):
    """A waiter that only its own process can wake."""

    _present: ClassVar[set["ThreadWaiter"]] = set()

    def __init__(self, name: str) -> None:
        self.name = name
        self._event = threading.Event()
        self._present.add(self)

    @classmethod
    def wake_all(cls, name: str) -> None:
        """Wake every waiter of this process that waits as *name*."""
        for each in tuple(cls._present):
            if each.name == name:
                each.wake()

    def wait(self, timeout: timedelta) -> None:
        """Block until woken or until *timeout*."""
        self._event.wait(max(0.0, timeout.total_seconds()))
        self._event.clear()

    def wake(self) -> None:
        """End a wait, or the next one."""
        self._event.set()

    def close(self) -> None:
        """Stop listening."""
        self._present.discard(self)
