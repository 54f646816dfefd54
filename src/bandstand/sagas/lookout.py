"""When a worker looks for sagas that nobody works on, and how far back."""

from datetime import datetime, timedelta
from uuid import UUID

from bandstand import clock
from bandstand.sagas import leases
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.versions import known

__all__ = ["Lookout"]

_SHORTEST_PAUSE, _SWEEP_EVERY = 0.1, 10.0
_LATE_COMMIT = timedelta(seconds=2)
"""How long a transaction may take that makes a saga due, for it to be found at once and not by the next sweep."""


class Lookout:
    """Look again soon while there are some, ever more rarely while there are none; `next_at` is monotonic.

    A look begins where the one before has ended, since what lies before it in the index may be dead and wait for a
    vacuum. A sweep looks at everything.
    """

    def __init__(self, longest_pause: timedelta) -> None:
        self._longest_pause, self._pause = longest_pause.total_seconds(), _SHORTEST_PAUSE
        self._looked_until: datetime | None = None
        self.next_at = self._sweep_at = clock.monotonic()

    def hurry(self) -> None:
        """Look at once."""
        self.next_at = clock.monotonic()

    def pause(self, seconds: float | None = None) -> None:
        """Look again in so many *seconds*, or after the usual pause."""
        self.next_at = clock.monotonic() + (self._pause if seconds is None else seconds)

    def find(self, owner: UUID, *, lease: timedelta, room: int, again: set[UUID]) -> list[SagaExecution]:
        """Take over up to *room* sagas for *owner*, and those of *again* that are its own still."""
        began, since = clock.database_time(), self._looked_until
        if self.next_at >= self._sweep_at:
            since, self._sweep_at = None, self.next_at + _SWEEP_EVERY
        rows = leases.claim(owner, known=known(), lease=lease, limit=room, again=again, since=since)
        if len(rows) < room:
            self._looked_until = began - _LATE_COMMIT
        self._pause = _SHORTEST_PAUSE if rows else min(self._pause * 2, self._longest_pause)
        self.pause()
        return rows
