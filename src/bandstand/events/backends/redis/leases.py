"""Who reads for a group: a key that its reader renews, and that lapses when that process dies or stands still."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from bandstand.events.backends.base import BusUnavailable
from bandstand.events.backends.redis import scripts
from bandstand.events.backends.redis.connecting import Client, reaching
from bandstand.events.owners import is_gone, own_name

__all__ = ["Leases"]

log = logging.getLogger(__name__)

LASTING = timedelta(seconds=3)
"""How long a killed reader keeps its successor waiting, unless both are of one host."""

_MILLISECONDS = round(LASTING.total_seconds() * 1000)
_EVERY_SECONDS = LASTING.total_seconds() / 3


class Leases:
    """The leases of one bus of one process, renewed by one thread that lives while there are any.

    Within the process a lease has one holder; after a lost connection the next one need not wait until it lapses.
    """

    def __init__(self, client: Callable[[], Client]) -> None:
        self.owner = own_name()
        self._client = client
        self._held: set[str] = set()
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, key: str) -> bool:
        """Take the lease unless another process or another subscription of this one has it. Raises BusUnavailable."""
        with self._guard:
            if key in self._held:
                return False
            with reaching():
                taken = self._try(key) or (self._take_from_the_dead(key) and self._try(key))
            if taken:
                self._held.add(key)
                self._ensure_running()
            return taken

    def release(self, key: str) -> None:
        """Let another one read at once; when the server cannot be reached, the lease lapses by itself."""
        with self._guard:
            if key not in self._held:
                return
            self._held.discard(key)
            if not self._held:
                self._stop.set()
        with suppress(BusUnavailable), reaching():
            self._client().eval(scripts.RELEASE, 1, key, self.owner)

    def close(self) -> None:
        """Release all of them."""
        for key in sorted(self._held):
            self.release(key)
        thread = self._thread
        if thread is not None:
            thread.join()

    def _try(self, key: str) -> bool:
        return bool(self._client().eval(scripts.TAKE, 1, key, self.owner, str(_MILLISECONDS)))

    def _take_from_the_dead(self, key: str) -> bool:
        """Release the lease of a process of this host that was killed."""
        owner = str(self._client().get(key))
        return is_gone(owner) and bool(self._client().eval(scripts.RELEASE, 1, key, owner))

    def _ensure_running(self) -> None:
        if self._thread is None or self._stop.is_set():
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self._stop,), name="redis-leases", daemon=True)
            self._thread.start()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(_EVERY_SECONDS):
            for key in sorted(self._held):
                self._renew(key)

    def _renew(self, key: str) -> None:
        try:
            with reaching():
                renewed = self._client().eval(scripts.RENEW, 1, key, self.owner, str(_MILLISECONDS))
        except BusUnavailable as error:  # tried again soon; the reader finds out by itself
            log.debug("bus.lease_not_renewed", extra={"lease": key, "error": str(error)})
            return
        if not renewed and key in self._held:
            log.warning("bus.lease_lost", extra={"lease": key})
