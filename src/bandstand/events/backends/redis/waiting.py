"""Waking the reader of a group: publishing scripts nudge its channel, and one thread listens.

A nudge is a hint that may get lost with its connection; the reader looks by itself once in a while.
"""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from bandstand.events.backends.base import BusUnavailable, Waiter
from bandstand.events.backends.redis.connecting import Client
from bandstand.events.backends.redis.listening import Notices

__all__ = ["RedisWaiter"]

log = logging.getLogger(__name__)

_LOOK_SECONDS = 10.0
_PAUSE_SECONDS = 0.5
_JOIN_SECONDS = 1.0


class RedisWaiter(Waiter):
    """An event that nudges set. While the server is down a wait lasts as long as it was asked to."""

    def __init__(self, client: Callable[[], Client], channel: str) -> None:
        self._client = client
        self._channel = channel
        self._woken = threading.Event()
        self._stop = threading.Event()
        # Listening from here on: a publication between now and the first wait must not be slept through.
        self._nudges = self._listen()
        self._thread = threading.Thread(target=self._run, name=f"redis-{channel}", daemon=True)
        self._thread.start()

    def wait(self, timeout: timedelta) -> None:
        """Block until nudged or until *timeout*."""
        self._woken.wait(max(0.0, timeout.total_seconds()))
        self._woken.clear()

    def wake(self) -> None:
        """Nudge it without the server."""
        self._woken.set()

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        nudges = self._nudges
        if nudges is not None:
            nudges.interrupt()
        self._thread.join(_JOIN_SECONDS)  # a server that hangs is not waited for

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._nudges is None:
                self._resume()
            elif self._is_nudged(self._nudges):
                self._woken.set()
        if self._nudges is not None:
            self._nudges.close()

    def _resume(self) -> None:
        if not self._stop.wait(_PAUSE_SECONDS):
            self._nudges = self._listen()
            if self._nudges is not None:
                self._woken.set()  # something may have been published meanwhile

    def _is_nudged(self, nudges: Notices) -> bool:
        try:
            return nudges.stirs(_LOOK_SECONDS)
        except BusUnavailable as error:
            log.debug("bus.nudges_interrupted", extra={"error": str(error)})
            nudges.close()
            self._nudges = None
            return False

    def _listen(self) -> Notices | None:
        try:
            return Notices(self._client(), self._channel)
        except BusUnavailable as error:
            log.debug("bus.nudges_interrupted", extra={"error": str(error)})
            return None
