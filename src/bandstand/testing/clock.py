"""A clock that stands still until a test moves it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from bandstand import clock

__all__ = ["HeldClock", "held_clock"]

_EPOCH = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class HeldClock:
    """Wall clock, monotonic clock and database time in one; `sleep` moves it and returns at once."""

    held = True

    def __init__(self, start: datetime = _EPOCH) -> None:
        self._guard = threading.Lock()
        self._start = start
        self._passed = timedelta()

    def now(self) -> datetime:
        """The held moment."""
        return self._start + self._passed

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, moved by `advance` only."""
        return 1_000.0 + self._passed.total_seconds()

    def sleep(self, seconds: float) -> None:
        """Let the time pass without waiting."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta | float) -> None:
        """Move forward *by* a duration, or that many seconds."""
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta():
            raise ValueError("time does not go back; start another clock instead")
        with self._guard:
            self._passed += step


@contextmanager
def held_clock(start: datetime = _EPOCH) -> Iterator[HeldClock]:
    """Hold the time of this process, all threads included, for the block."""
    held = HeldClock(start)
    previous = clock.install(held)
    try:
        yield held
    finally:
        clock.install(previous)
