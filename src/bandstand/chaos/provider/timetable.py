"""Work that is due later, done by a few threads of its own so that nothing else waits for it."""

import heapq
import itertools
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from bandstand.clock import monotonic

__all__ = ["Timetable"]

T = TypeVar("T")


class Timetable(Generic[T]):
    """Call *run* with each item when its time has come. `put` may be called before `start`."""

    def __init__(self, run: Callable[[T], None], *, name: str, threads: int = 1) -> None:
        self._run = run
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._heap: list[tuple[float, int, T]] = []
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout: float = 5.0) -> None:
        """Finish what is running and forget the rest; the ledger remembers it."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        until = monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))

    def put(self, item: T, *, delay: float = 0.0) -> None:
        """Have *item* run *delay* seconds from now."""
        with self._changed:
            heapq.heappush(self._heap, (monotonic() + delay, next(self._order), item))
            self._changed.notify()

    def _work(self) -> None:
        while (item := self._next()) is not None:
            self._run(item)

    def _next(self) -> T | None:
        with self._changed:
            while not self._stopped:
                wait = self._heap[0][0] - monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(wait)
        return None
