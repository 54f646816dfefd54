"""How many tasks a worker should hold: as many as its threads run, and a little work in advance."""

from datetime import timedelta

__all__ = ["Pace"]

_WEIGHT = 0.2


class Pace:
    """Short tasks are claimed by the hundred; long ones one for each thread, so that other workers get the rest."""

    def __init__(self, *, threads: int, batch: int, hold: timedelta) -> None:
        self._threads = threads
        self._batch = batch
        self._hold = hold.total_seconds()
        self._mean = self._hold  # as if tasks were long, until it is known

    def note(self, seconds: float) -> None:
        """Take in how long a task took."""
        self._mean += _WEIGHT * (seconds - self._mean)

    @property
    def target(self) -> int:
        """How many to hold."""
        in_advance = self._threads * self._hold / max(self._mean, 1e-6)
        return min(self._batch, self._threads + int(in_advance))
