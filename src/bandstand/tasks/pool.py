"""The few threads in which a worker's tasks run."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from django.db import close_old_connections, connections

from bandstand.lifecycle import name_thread

__all__ = ["Pool"]

J = TypeVar("J")
R = TypeVar("R")


class Pool(Generic[J, R]):
    """Daemon threads, started as they are needed: a task that hangs never keeps the process from ending."""

    def __init__(self, size: int, work: Callable[[J], R], done: Callable[[R], None]) -> None:
        self._size = size
        self._work = work
        self._done = done
        self._jobs: deque[J] = deque()
        self._tickets: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, jobs: Iterable[J]) -> None:
        """Run *jobs* in their order as threads become free."""
        for job in jobs:
            self._jobs.append(job)
            self._tickets.put(True)
            if len(self._threads) < self._size:
                self._start()

    def withdraw(self) -> list[J]:
        """Take back what no thread has begun."""
        found: list[J] = []
        while self._jobs:
            try:
                found.append(self._jobs.popleft())
            except IndexError:  # a thread was faster
                break
        return found

    def close(self) -> None:
        """Let the threads end once they are free."""
        for _ in self._threads:
            self._tickets.put(False)

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"bandstand-task-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        name_thread("task")
        try:
            while self._tickets.get():
                try:
                    job = self._jobs.popleft()
                except IndexError:  # withdrawn
                    continue
                close_old_connections()
                self._done(self._work(job))
        finally:
            connections.close_all()
