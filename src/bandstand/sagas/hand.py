"""The sagas in a worker's hands: which of them wait for what, and until when."""

import heapq
import itertools
from uuid import UUID

from bandstand import clock
from bandstand.sagas.runs import Run, renewable
from bandstand.sagas.steps import Direction, SagaStep

__all__ = ["Hand"]


class Hand:
    """Bookkeeping of one worker, in memory and for one thread; moments are those of the monotonic clock."""

    def __init__(self) -> None:
        self.live: dict[UUID, Run] = {}
        self.calling: dict[UUID, set[str]] = {}
        self._timers: list[tuple[float, int, Run]] = []
        self._order = itertools.count()

    def take(self, run: Run) -> Run:
        """Hold *run* instead of whatever was held of the same saga."""
        self.calling.pop(run.id, None)
        self.live[run.id] = run
        return run

    def take_over(self, run: Run) -> Run:
        """As `take`, from another owner: when that one renewed is not known, so renewals are due at once."""
        for unit, _ in renewable(run.saga, run.state):
            run.renewals[unit] = clock.monotonic()
        return self.take(run)

    def drop(self, saga_id: UUID) -> Run | None:
        """Forget a saga; what still comes back of its calls is ignored."""
        self.calling.pop(saga_id, None)
        return self.live.pop(saga_id, None)

    def note_call(self, run: Run, unit: str) -> None:
        """Remember that a call of *unit* is under way."""
        self.calling.setdefault(run.id, set()).add(unit)

    def note_answer(self, run: Run, unit: str) -> None:
        """Remember that it is not any more."""
        units = self.calling.get(run.id, set())
        units.discard(unit)
        if not units:
            self.calling.pop(run.id, None)

    def holds(self, run: Run) -> bool:
        """Whether this very run is held still, and not a later one of the same saga."""
        return self.live.get(run.id) is run

    def idle(self) -> list[Run]:
        """The sagas that wait for no answer."""
        return [run for run in self.live.values() if run.id not in self.calling]

    def schedule(self, run: Run, *, pause: float | None) -> None:
        """Note when *run* is due (None: it waits for answers only), and its renewals while it goes forward."""
        now = clock.monotonic()
        run.due = None if pause is None else now + pause
        if run.state.direction is Direction.UNDO:
            run.renewals.clear()
        for unit, step in renewable(run.saga, run.state):
            if step.renew_every is not None:
                run.renewals.setdefault(unit, now + step.renew_every.total_seconds())
        self._set_timer(run)

    def next_moment(self) -> float | None:
        """When something is due next."""
        return self._timers[0][0] if self._timers else None

    def due(self) -> tuple[list[Run], list[tuple[Run, str, SagaStep]]]:
        """The sagas whose pause is over, and the done units whose renewal is due."""
        now = clock.monotonic()
        runs: list[Run] = []
        renewals: list[tuple[Run, str, SagaStep]] = []
        while self._timers and self._timers[0][0] <= now:
            _, _, run = heapq.heappop(self._timers)
            if not self.holds(run):
                continue
            if run.due is not None and run.due <= now:
                run.due = None
                runs.append(run)
            for unit, step in renewable(run.saga, run.state):
                if step.renew_every is not None and run.renewals.get(unit, now) <= now:
                    run.renewals[unit] = now + step.renew_every.total_seconds()
                    renewals.append((run, unit, step))
            self._set_timer(run)
        return runs, renewals

    def _set_timer(self, run: Run) -> None:
        moments = [*run.renewals.values(), *([run.due] if run.due is not None else [])]
        if moments:
            heapq.heappush(self._timers, (min(moments), next(self._order), run))
