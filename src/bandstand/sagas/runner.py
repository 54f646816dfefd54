"""The saga worker: one thread that commits waves, a few that wait for remote answers.

Every turn takes whatever has happened since the last one, commits it as one wave, and only then makes the calls that
follow. So a step is durable before the next begins, one commit serves all sagas of a wave, and an idle worker sleeps.
"""

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.db import Error

from bandstand import clock
from bandstand.config import section
from bandstand.lifecycle import Loop
from bandstand.sagas import host, leases
from bandstand.sagas.admission import admit_all
from bandstand.sagas.calls import Answer, call_remotely, point
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.engine import patience
from bandstand.sagas.hand import Hand
from bandstand.sagas.lookout import Lookout
from bandstand.sagas.plan import base_of
from bandstand.sagas.pool import CallPool
from bandstand.sagas.protocol import Begun, Call, Due, Outcome, Resumed, Withdrawn
from bandstand.sagas.reports import report_loss, report_move
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import Direction, SagaStep
from bandstand.sagas.versions import known, park_orphans, taken_up
from bandstand.sagas.wave import Input, Moved, Tenure, persist

__all__ = ["Pool", "Runner"]

log = logging.getLogger(__name__)

_LONGEST_WAIT, _SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 0.1, 5.0
_MOST_PER_WAVE = 256


class Pool(Protocol):
    """Where remote calls run; those of one lane get no more than their share of it."""

    def submit(self, job: Callable[[], None], lane: str) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Adopted:
    run: Run
    calls: list[Call]


@dataclass(frozen=True, slots=True)
class _Answer:
    run: Run
    epoch: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Renewed:
    run: Run
    answer: Answer


@dataclass(frozen=True, slots=True)
class _Noticed:
    saga_id: UUID


_Signal = _Adopted | _Answer | _Renewed | _Noticed | None


class Runner(Loop):
    """Run the sagas of this service, as many workers of it as there are.

    A worker that dies, hangs or loses its database loses nothing but time: its sagas are taken over when their leases
    run out, and whatever it still writes or calls is fenced off by epoch and by the participants' tombstones.
    """

    name = "sagas"

    def __init__(self, *, config: SagasConfig | None = None, pool: Pool | None = None) -> None:
        self._config = config or section(SagasConfig)
        self._pool = pool or CallPool(self._config.call_threads)
        self._signals: queue.SimpleQueue[_Signal] = queue.SimpleQueue()
        self._hand = Hand()
        self._suspects: set[UUID] = set()
        self._lookout = Lookout(self._config.look_every)
        self._pause, self._beat_at = _SHORTEST_PAUSE, clock.monotonic()
        self._leaving = False
        self.owner = clock.uuid7()
        self.lease = self._config.lease

    def accepts(self) -> bool:
        """Whether a saga may be born leased to this worker."""
        return not self._leaving and len(self._hand.live) + self._signals.qsize() < self._config.max_live

    def adopt(self, run: Run, calls: list[Call]) -> None:
        """Take over a saga whose birth is committed, and make its first calls."""
        self._signals.put(_Adopted(run, calls))

    def notice(self, saga_id: UUID) -> None:
        """Look at a saga to which something was said."""
        self._signals.put(_Noticed(saga_id))

    def wake(self) -> None:
        """Interrupt the wait for signals."""
        self._signals.put(None)

    def run(self, stop: threading.Event) -> None:
        """Serve until *stop* is set; then wait for the calls under way and let the sagas go."""
        previous = host.install_worker(self)
        try:
            while not stop.is_set():
                signals = _gather(self._signals, self._until_next())
                with self.iteration():
                    self.turn(signals)
        finally:
            host.install_worker(previous)
        self.leave()

    def leave(self) -> None:
        """Give every saga up: those between calls at once, the others as their answers come, within `drain`."""
        self._leaving = True
        deadline = clock.monotonic() + self._config.drain.total_seconds()
        while True:
            with self.iteration():
                self.turn(_gather(self._signals, 0.2 if self._hand.calling else 0.0))
                self._release(self._hand.idle())
            if not self._hand.calling or clock.monotonic() > deadline:
                break
        self._pool.close()

    def turn(self, signals: Iterable[_Signal] | None = None) -> None:
        """Take in what has happened, commit it as one wave, make the calls that follow."""
        inputs = self._take(_gather(self._signals, 0.0) if signals is None else signals)
        due, renewals = self._hand.due()
        inputs += [Input(run, Due()) for run in due]
        self._commit(inputs)
        if self._leaving:
            return
        for run, unit, step in renewals:
            self._renew(run, unit, step)
        try:
            self._keep()
        except Error:  # the database is away: leases outlast a short absence, and the rest resumes by itself
            log.exception("saga.worker_cut_off")
            self._lookout.pause()
            self._beat_at = self._lookout.next_at

    def _until_next(self) -> float:
        moments = [self._lookout.next_at, self._hand.next_moment(), self._beat_at if self._hand.live else None]
        first = min(moment for moment in moments if moment is not None) - clock.monotonic()
        return min(max(0.0, first), _LONGEST_WAIT)

    def _take(self, signals: Iterable[_Signal]) -> list[Input]:
        hand, inputs = self._hand, list[Input]()
        for signal in signals:
            match signal:
                case _Adopted():
                    inputs += self._welcome(signal)
                case _Answer() if hand.holds(signal.run) and signal.run.epoch == signal.epoch:
                    hand.note_answer(signal.run, signal.answer.answered.unit)
                    inputs.append(Input(signal.run, signal.answer))
                case _Renewed() if hand.holds(signal.run):
                    answered = signal.answer.answered
                    if answered.outcome is Outcome.REFUSED:
                        inputs.append(Input(signal.run, Withdrawn(answered.reason)))
                case _Noticed() if signal.saga_id in hand.live:
                    inputs.append(Input(hand.live[signal.saga_id], None))
                case _Noticed():
                    self._lookout.hurry()
        return inputs

    def _welcome(self, signal: _Adopted) -> list[Input]:
        """Hold a saga born leased to this worker: its intent is durable, so its calls need no further commit."""
        run = self._hand.take(signal.run)
        if not signal.calls:
            return [Input(run, Begun())]
        for call in signal.calls if not self._leaving else []:
            position = next(one for one in run.state.at if one.unit == call.unit)
            point(run, call.unit, call.direction, "after_intent")
            budget = patience.budget(run.state, position, call.leaf, run.created_at)
            self._call(run, call, budget.total_seconds())
        return []

    # ---- the wave and what follows it

    def _commit(self, inputs: list[Input]) -> None:
        if not inputs:
            return
        tenure = Tenure(owner=self.owner, lease=self.lease, leaving=self._leaving)
        try:
            moves, lost = persist(inputs, tenure)
        except Exception:  # a broken commit may have happened or not: what is in memory is not trusted any more
            log.exception("saga.wave_failed", extra={"sagas": len(inputs)})
            for one in inputs:
                self._hand.drop(one.run.id)
                self._suspects.add(one.run.id)
            self._lookout.pause(self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            return
        self._pause = _SHORTEST_PAUSE
        for saga_id in lost:
            report_loss(self._hand.drop(saga_id))
        for moved in moves:
            self._settle(moved)

    def _settle(self, moved: Moved) -> None:
        run = moved.run
        run.state, run.context = moved.state, moved.context
        for unit, direction in moved.logged:
            point(run, unit, direction, "after_log")
        report_move(moved)
        if not moved.kept:
            self._hand.drop(run.id)
            if moved.end is not None and run.limit_key is not None:
                self._lookout.hurry()  # the next one may begin
            return
        self._hand.schedule(run, pause=moved.pause)
        for call, budget in moved.calls:
            point(run, call.unit, call.direction, "after_intent")
            self._call(run, call, budget)

    # ---- calls

    def _call(self, run: Run, call: Call, budget: float) -> None:
        epoch, until = run.epoch, clock.monotonic() + budget
        self._hand.note_call(run, call.unit)

        def work() -> None:
            # The time in which the call waited for a thread, or this process stood still, is its own.
            self._signals.put(_Answer(run, epoch, call_remotely(run, call, until - clock.monotonic())))

        self._pool.submit(work, _lane(run, call.unit))

    def _renew(self, run: Run, unit: str, step: SagaStep) -> None:
        """Repeat a done step with the same key; no log line, since nothing changes."""
        repeat = Call(unit, step, Direction.DO, 0)
        budget = (step.timeout or patience.SLOW_CAP).total_seconds()

        def work() -> None:
            self._signals.put(_Renewed(run, call_remotely(run, repeat, budget)))

        self._pool.submit(work, _lane(run, unit))

    # ---- leases

    def _keep(self) -> None:
        """Renew the leases, and look for sagas that nobody works on, when it is time to."""
        now = clock.monotonic()
        live = self._hand.live
        if now >= self._beat_at:
            self._beat_at = now + self.lease.total_seconds() / 3
            if live:
                leases.heartbeat(self.owner, live, lease=self.lease)
            park_orphans()
        if now >= self._lookout.next_at:
            self._listen()
            admit_all(most=self._config.max_live - len(self._hand.live))
            self._look()

    def _listen(self) -> None:
        """Hear what another process said to our sagas."""
        live = self._hand.live
        told = leases.signalled(self.owner, known=known())
        self._commit([Input(live[one], None) for one in told if one in live])

    def _look(self) -> None:
        """Take sagas over. Those of a failed wave are read anew and go one by one: one of them may be the cause."""
        room = self._config.max_live - len(self._hand.live)
        rows = self._lookout.find(self.owner, lease=self.lease, room=room, again=self._suspects)
        runs = [run for row in rows if (run := taken_up(row, self.owner)) is not None]
        resumed = [Input(self._hand.take_over(run), Resumed()) for run in runs]
        alone = [one for one in resumed if one.run.id in self._suspects]
        together = [one for one in resumed if one.run.id not in self._suspects]
        self._suspects.clear()
        for wave in (*([one] for one in alone), together):
            self._commit(wave)

    def _release(self, runs: list[Run]) -> None:
        with suppress(Error):  # then the leases run out by themselves
            leases.release(self.owner, [run.id for run in runs], at_once=[run.id for run in runs if run.renewals])
        for run in runs:
            self._hand.drop(run.id)


def _lane(run: Run, unit: str) -> str:
    """What hangs together: all calls of a step, there and back, for all items and sagas of a type."""
    return f"{run.saga.name}.{base_of(unit)}"


def _gather(signals: "queue.SimpleQueue[_Signal]", timeout: float) -> list[_Signal]:
    """Whatever has come in, waiting up to *timeout* seconds for the first."""
    found: list[_Signal] = []
    with suppress(queue.Empty):
        found.append(signals.get(timeout=timeout) if timeout > 0 else signals.get_nowait())
        while len(found) < _MOST_PER_WAVE:
            found.append(signals.get_nowait())
    return found
