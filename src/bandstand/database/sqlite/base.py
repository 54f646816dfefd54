"""Django's SQLite backend, where the threads of a process queue for the write lock in the order they came.

SQLite's own back-off is unfair: with a few writing threads one of them waits for seconds. Transactions here first pass
a lock of this process; several processes still take turns by SQLite's own lock and its timeout.
"""

import threading
from collections import deque
from typing import Any

from django.db.backends.sqlite3 import base

__all__ = ["DatabaseWrapper"]


class FairLock:
    """A mutual exclusion that is granted in the order of asking."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._queue: deque[threading.Lock] = deque()

    def acquire(self) -> None:
        """Wait for the turn."""
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._queue.append(turn)
        turn.acquire()

    def release(self) -> None:
        """Hand the lock to whoever has waited longest."""
        with self._guard:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._held = False


_locks: dict[str, FairLock] = {}
_locks_guard = threading.Lock()


def _lock_of(name: str) -> FairLock:
    with _locks_guard:
        return _locks.setdefault(name, FairLock())


class DatabaseWrapper(base.DatabaseWrapper):
    """One connection; it holds the file's write lock from BEGIN IMMEDIATE to COMMIT, ROLLBACK or close."""

    _write_lock: FairLock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        lock = _lock_of(str(self.settings_dict["NAME"]))
        lock.acquire()
        self._write_lock = lock
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        lock, self._write_lock = self._write_lock, None
        if lock is not None:
            lock.release()

    def _commit(self) -> Any:
        # A failed COMMIT (disk full, busy) leaves the transaction open: the ROLLBACK that follows releases.
        result = super()._commit()  # type: ignore[misc]
        self._release()
        return result

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._release()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._release()
