"""The few threads in which a worker's remote calls wait for their answers."""

import threading
from collections import Counter, deque
from collections.abc import Callable

from django.db import connections

from bandstand.lifecycle import name_thread

__all__ = ["CallPool", "Job"]

Job = Callable[[], None]


class CallPool:
    """Daemon threads, started as they are needed: a call that hangs never keeps the process from ending.

    Calls of one lane hold a third of the threads at most, so that a participant which hangs leaves room for the others
    (a bulkhead); lanes take turns.
    """

    def __init__(self, size: int) -> None:
        self._size, self._share = size, max(1, size // 3)
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Job]] = {}
        self._busy: Counter[str] = Counter()
        self._pending = self._idle = 0
        self._threads: list[threading.Thread] = []
        self._is_closed = False

    def submit(self, job: Job, lane: str) -> None:
        """Run *job*, which raises nothing, as soon as a thread and a place in its lane are free."""
        with self._changed:
            self._waiting.setdefault(lane, deque()).append(job)
            self._pending += 1
            self._changed.notify()
            if self._pending > self._idle and len(self._threads) < self._size:
                name = f"bandstand-saga-call-{len(self._threads)}"
                self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
                self._threads[-1].start()

    def close(self) -> None:
        """Let the threads end once they are free and nothing waits that could begin."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        name_thread("saga-call")
        try:
            while (found := self._take()) is not None:
                lane, job = found
                job()
                with self._changed:
                    self._busy[lane] -= 1
                    self._changed.notify()
        finally:
            connections.close_all()

    def _take(self) -> tuple[str, Job] | None:
        with self._changed:
            while (lane := self._next_lane()) is None:
                if self._is_closed:
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            jobs = self._waiting.pop(lane)
            job = jobs.popleft()
            if jobs:
                self._waiting[lane] = jobs  # behind the others
            self._busy[lane] += 1
            self._pending -= 1
            return lane, job

    def _next_lane(self) -> str | None:
        return next((lane for lane in self._waiting if self._busy[lane] < self._share), None)
