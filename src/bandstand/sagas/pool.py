"""The few threads in which a worker's remote calls wait for their answers."""

import queue
import threading
from collections.abc import Callable

from django.db import connections

from bandstand.lifecycle import name_thread

__all__ = ["CallPool"]


class CallPool:
    """Daemon threads, started as they are needed: a call that hangs never keeps the process from ending."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def submit(self, job: Callable[[], None]) -> None:
        """Run *job*, which raises nothing, as soon as a thread is free."""
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._size:
            thread = threading.Thread(target=self._work, name=f"bandstand-saga-call-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Let the threads end once they are free."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        name_thread("saga-call")
        try:
            while (job := self._jobs.get()) is not None:
                job()
                self._idle.release()
        finally:
            connections.close_all()
