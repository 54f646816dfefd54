"""One saga taken through one scenario by the real worker, perhaps with a death on the way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from bandstand.sagas import Approval, Saga, SagaExecution, SagaStepLog, host, starting
from bandstand.sagas.calls import call_of
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.encoding import decode, encode
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.protocol import Position
from bandstand.sagas.runs import Run, read_state, run_of
from bandstand.sagas.signals import SignalName, send
from bandstand.sagas.steps import ChildSaga, Direction, Leaf, Mode, SagaCommand, StepCall, WaitFor
from bandstand.testing.clock import HeldClock, held_clock
from bandstand.testing.sagas.cast import Books, Cast, Play
from bandstand.testing.sagas.life import Died, Life
from bandstand.testing.sagas.rewriting import declared, rewritten, with_children
from bandstand.testing.sagas.scenarios import Scenario, Trouble
from bandstand.testing.sagas.stage import NotEnded, SagaStage

__all__ = ["Finished", "Performance", "Rehearsal", "careless_of_power", "declared_by_name"]

_LONGEST = 1_000
"""So many waits are more than any saga needs."""
_CONFIG = SagasConfig(look_every=timedelta(seconds=20))
_STRIDE = 8.0
"""Seconds that pass at least while nothing happens: less than a lease."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A saga that has ended: its row, its context as its steps see it, its history."""

    saga: SagaExecution
    context: Any
    log: list[SagaStepLog]

    @property
    def done(self) -> list[str]:
        """What was done and not undone, in this order; `room:Rome` within a loop."""
        units: dict[str, None] = {}
        for line in self.log:
            if not line.attempt:
                continue  # a group is no step
            if line.outcome == "ok" and line.direction == Direction.DO:
                units[line.step] = None
            elif line.outcome == "ok":
                units.pop(line.step, None)
        return list(units)


Invariant = Callable[[Finished], object]
"""Raises AssertionError, or returns False or what is wrong; None and True are fine."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """How a saga is put to the test.

    `begin` is the event that starts it, or makes that event, or starts the saga itself and returns None. `answers` are
    what stand-ins return, and the events that its waits hear, by step; each a value or a function of the StepCall.
    Approvals are given, timers run out by themselves. `invariants` are asked of every saga that has ended.
    `fresh` is called before each performance, to empty what the test has put up.
    """

    saga: type[Saga] | Saga
    begin: Any
    answers: Mapping[str, Any] = field(default_factory=dict)
    invariants: Sequence[Invariant] = ()
    play: Play = Play.STAND_INS
    fresh: Callable[[], object] | None = None

    @property
    def family(self) -> list[Saga]:
        """The saga and its children."""
        return with_children(declared(self.saga))


class Performance:
    """One performance, from an empty table to the end of all sagas."""

    def __init__(self, rehearsal: Rehearsal, scenario: Scenario, books: Books, life: Life) -> None:
        self.rehearsal, self.scenario, self.books, self.life = rehearsal, scenario, books, life
        self.cast = Cast(books, scenario, life, rehearsal.answers, rehearsal.play)
        self._told: set[tuple[UUID, str, str]] = set()

    def empty(self) -> None:
        """Forget whatever ran before."""
        for model in (SagaSignal, SagaStepLog, SagaExecution):
            model._default_manager.all().delete()  # noqa: SLF001 - Django's documented name
        if self.rehearsal.fresh is not None:
            self.rehearsal.fresh()

    def run(self) -> None:
        """Play to the end, with as many workers as it takes. Raises NotEnded."""
        with self._set() as stage:
            while True:
                try:
                    self._play(stage)
                except Died:
                    self._succeed(stage)
                else:
                    return

    @contextmanager
    def _set(self) -> Iterator[SagaStage]:
        last = SagaExecution.objects.order_by("-updated_at").first()
        start = last.updated_at + _CONFIG.lease + timedelta(seconds=1) if last else None
        with ExitStack() as stack:
            held: HeldClock = stack.enter_context(held_clock(start) if start else held_clock())
            stack.callback(host.install_worker, None)
            stack.enter_context(rewritten(self.rehearsal.family, self.cast.rewrite))
            stack.enter_context(self._followed())
            stage = SagaStage(held, config=_CONFIG)
            stack.enter_context(self.life.lived())
            yield stage

    @contextmanager
    def _followed(self) -> Iterator[None]:
        """Let the cast hear how each saga ends."""
        family = [saga for saga in self.rehearsal.family if type(saga).ended is not Saga.ended]
        for saga in family:
            saga.__dict__["ended"] = lambda execution, saga=saga: self.cast.ended(saga, execution)
        try:
            yield
        finally:
            for saga in family:
                del saga.__dict__["ended"]

    def _succeed(self, stage: SagaStage) -> None:
        """Let another worker take over as the lease of the dead one has just run out."""
        self.cast.late += stage.pool.jobs
        self.life.succeeded()
        stage.clock.advance(_CONFIG.lease + timedelta(seconds=1))
        stage.employ()

    def _play(self, stage: SagaStage) -> None:
        self._begin()
        for _ in range(_LONGEST):
            stage.drive()
            live = list(SagaExecution.objects.filter(lease_until__isnull=False))
            if not live:
                self.cast.deliver_late()
                stage.drive()
                return
            if not self._answer_all(live):
                stage.wait_for(_next_moment(live), at_least=_STRIDE)
        raise NotEnded(
            "; ".join(f"{row.type} is {row.status} at {row.direction} {row.step}: {row.error}" for row in live)
        )

    def _begin(self) -> None:
        saga, begin = declared(self.rehearsal.saga), self.rehearsal.begin
        if SagaExecution.objects.filter(type=saga.name).exists():
            return
        event = begin() if callable(begin) else begin
        if event is not None:
            starting.start(saga, event)
        elif not SagaExecution.objects.filter(type=saga.name).exists():
            raise LookupError(f"`begin` returned no event and started no {saga.name}")

    # ---- what comes from outside

    def _answer_all(self, live: list[SagaExecution]) -> bool:
        """Say to a waiting step what it waits for; False when nothing was to be said."""
        return any(self._answer(row, position) for row in live for position in _waiting(row))

    def _answer(self, row: SagaExecution, position: Position) -> bool:
        saga = declared_by_name(self.rehearsal.family, row.type)
        leaf = saga.plan.leaf(position.unit) if saga is not None else None
        told = (row.pk, position.unit, row.direction)
        if saga is None or leaf is None or told in self._told:
            return False
        said = self._said(saga, leaf, run_of(row, saga), position.unit)
        if said is not None:
            self._told.add(told)
            name, payload = said
            send(row.pk, name, step=position.unit, payload=payload, said_by="rehearsal")
        return said is not None

    def _said(self, saga: Saga, leaf: Leaf, run: Run, unit: str) -> tuple[SignalName, Any] | None:
        undoing = run.state.direction is Direction.UNDO
        trouble = None if undoing else self.cast.meets(saga, leaf, run.key(unit))
        if leaf.mode is not Mode.ASK or isinstance(leaf, ChildSaga) or trouble is Trouble.WITHHELD:
            return None
        if isinstance(leaf, Approval):
            return (SignalName.REJECTED if trouble else SignalName.APPROVED), None
        call = call_of(run, unit, 1, run.context)
        if isinstance(leaf, SagaCommand):
            participant = self.books.participant(leaf.name)
            (participant.cancel if undoing else participant.create)(call.key)
        return (SignalName.RECALLED, None) if undoing else (SignalName.HEARD, self._event(leaf, call))

    def _event(self, leaf: Leaf, call: StepCall) -> Any:
        answer = self.rehearsal.answers.get(leaf.name)
        event = answer(call) if callable(answer) else answer
        if event is None and isinstance(leaf, WaitFor | SagaCommand) and leaf.take is not None:
            raise LookupError(f"{leaf.name!r} reads what it hears: say in `answers` which event comes")
        return event.encoded() if event is not None else None

    # ---- what is left

    def finished(self) -> list[Finished]:
        """All sagas as they have ended."""
        rows = SagaExecution.objects.filter(lease_until=None).order_by("created_at")
        return [self._finished(row) for row in rows]

    def _finished(self, row: SagaExecution) -> Finished:
        saga = declared_by_name(self.rehearsal.family, row.type)
        context = decode(encode(row.context_data), saga.context) if saga is not None else row.context_data
        log = list(SagaStepLog.objects.filter(saga_id=row.pk).order_by("id"))
        return Finished(saga=row, context=context, log=log)


def declared_by_name(family: Sequence[Saga], name: str) -> Saga | None:
    """One of the family."""
    return next((saga for saga in family if saga.name == name), None)


@contextmanager
def careless_of_power() -> Iterator[None]:
    """Let SQLite commit without waiting for the disk: no power is lost here, and thousands of commits are made."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        before = cursor.fetchone()[0]
        cursor.execute("PRAGMA synchronous=OFF")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA synchronous={before}")


def _waiting(row: SagaExecution) -> list[Position]:
    return [one for one in read_state(row.state).at if one.attempt and one.next_at is not None]


def _next_moment(live: Sequence[SagaExecution]) -> datetime | None:
    return min((row.next_at for row in live if row.next_at is not None), default=None)
