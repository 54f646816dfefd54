"""One wave: all outcomes at hand, of all sagas, in one transaction, together with the intents that follow them."""

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from bandstand import clock, context
from bandstand.sagas import children, engine, store
from bandstand.sagas.calls import Answer, answer_of, attempt_locally, digested, point
from bandstand.sagas.deciding import decide
from bandstand.sagas.definition import Saga
from bandstand.sagas.engine import patience
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.protocol import (
    Answered,
    Asked,
    Call,
    Command,
    Decide,
    Due,
    End,
    EndingFailed,
    Event,
    Log,
    Outcome,
    Ready,
    Resumed,
    SagaStatus,
    State,
)
from bandstand.sagas.results import beginning_of
from bandstand.sagas.runs import Run, execution_of, renewable
from bandstand.sagas.steps import Direction, Mode
from bandstand.sagas.taking import NotYet, take

__all__ = ["Input", "Moved", "Tenure", "persist"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Input:
    """What happened to a saga: an event, an answer with what it changes, or None - something was said to it."""

    run: Run
    happened: Event | Answer | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenure:
    """In whose name a wave writes. A worker that is `leaving` gives every saga up with the same write."""

    owner: UUID
    lease: timedelta
    leaving: bool = False


@dataclass(kw_only=True, slots=True)
class Moved:
    """A saga as a wave leaves it: the remote `calls` to make once the commit is durable, each with its budget."""

    run: Run
    state: State
    context: str
    lines: list[store.Line] = field(default_factory=list)
    logged: list[tuple[str, Direction]] = field(default_factory=list)
    calls: list[tuple[Call, float]] = field(default_factory=list)
    end: End | None = None
    kept: bool = True
    pause: float | None = None


def persist(inputs: Iterable[Input], tenure: Tenure) -> tuple[list[Moved], set[UUID]]:
    """Move these sagas on; returns them and the ids of those that another worker has taken over.

    Sagas of which nothing but their own rows changes are written by one statement, where the database can; the others
    move in one transaction, with their local steps and the follow-ups of their ends in a savepoint each. Whatever is
    raised, nobody knows what of the wave is written: read the rows anew.
    """
    now = clock.database_time()
    moved, left = _move_at_once(list(inputs), tenure, now) if store.is_statement_enough() else ([], list(inputs))
    if not left:
        return moved, set()
    others, lost = _move_together(left, tenure, now)
    return [*moved, *others], lost


def _move_at_once(work: list[Input], tenure: Tenure, now: datetime) -> tuple[list[Moved], list[Input]]:
    """Move what is independent of anything but its own rows; returns it, and the inputs that are left.

    Nothing is locked: a saga that another worker has taken over, or to which something was said, is not written.
    """
    moves: dict[UUID, _Moving | None] = {}
    for one in work:
        moving = moves[one.run.id] if one.run.id in moves else _Moving(one.run, tenure.owner, now, alone=True)
        moves[one.run.id] = moving if moving is not None and moving.takes_alone(one.happened) else None
    done = [moving.finished() for moving in moves.values() if moving is not None]
    written = store.save_at_once(*_rows(done, tenure, now), now) if done else set[UUID]()
    return [one for one in done if one.run.id in written], [one for one in work if one.run.id not in written]


def _move_together(work: list[Input], tenure: Tenure, now: datetime) -> tuple[list[Moved], set[UUID]]:
    with transaction.atomic():
        held = store.lock({one.run.id for one in work})
        said = _said([saga_id for saga_id, (_, has_signals) in held.items() if has_signals])
        moves: dict[UUID, _Moving] = {}
        lost: set[UUID] = set()
        for one in work:
            epoch, _ = held.get(one.run.id, (0, False))
            if epoch != one.run.epoch:
                lost.add(one.run.id)
                continue
            moving = moves.get(one.run.id)
            if moving is None:
                moving = moves[one.run.id] = _Moving(one.run, tenure.owner, now)
                moving.open(one.happened, said.setdefault(one.run.id, []))
            elif one.happened is not None:
                moving.take_in(one.happened)
        for saga_id, moving in moves.items():
            moving.keep(said.get(saga_id, []))
        done = [moving.finished() for moving in moves.values()]
        if done:
            store.save(*_rows(done, tenure, now), now)
    return done, lost


def _said(ids: list[UUID]) -> dict[UUID, list[SagaSignal]]:
    said: dict[UUID, list[SagaSignal]] = {}
    if ids:
        for one in SagaSignal.objects.filter(saga_id__in=ids, taken_at=None, proposed=False).order_by("id"):
            said.setdefault(one.saga_id, []).append(one)
    return said


def _rows(moves: list[Moved], tenure: Tenure, now: datetime) -> tuple[list[store.Write], list[store.Line]]:
    return [_row(moved, tenure, now) for moved in moves], [line for moved in moves for line in moved.lines]


def _row(moved: Moved, tenure: Tenure, now: datetime) -> store.Write:
    owner: UUID | None = tenure.owner
    lease_until: datetime | None = None  # the heartbeat's
    state = moved.state
    until = state.next_at
    moved.pause = (until - now).total_seconds() if until else None
    is_needed = state.is_calling or bool(renewable(moved.run.saga, state))
    far = until is not None and until - now > tenure.lease and not is_needed
    if moved.end:
        owner, lease_until, moved.kept = None, None, False
    elif state.status is SagaStatus.PENDING and moved.run.limit_key is not None:
        owner, lease_until, moved.kept = None, now + patience.LONG, False
    elif tenure.leaving or far:
        owner, lease_until, moved.kept = None, now if is_needed or until is None else max(until, now), False
    context_data = None if moved.context is moved.run.context else moved.context
    return store.Write(run=moved.run, state=state, context=context_data, owner=owner, lease_until=lease_until)


class _NeedsTransaction(Exception):
    """What follows touches more than the saga's own rows."""


class _Moving:
    """One saga on its way through a wave, until it waits for something outside this transaction.

    One that is `alone` has no transaction around it.
    """

    def __init__(self, run: Run, worker: UUID, now: datetime, *, alone: bool = False) -> None:
        self.moved = Moved(run=run, state=run.state, context=run.context)
        self._worker, self._now, self._alone = worker, now, alone
        self._pending: list[Call] = []
        self._output = ""
        self._unread: set[int] = set()

    def open(self, happened: Event | Answer | None, signals: list[SagaSignal]) -> None:
        """Take in the first event: a wish to turn back counts before what is due, but not before a takeover.

        What a signal lets begin within this wave is not among what a new owner finds under way.
        """
        before = self.moved.state
        if isinstance(happened, Resumed) and before.is_calling:
            self.take_in(happened)
            happened = None
        self.listen(signals)
        if isinstance(happened, Resumed) and before.at and self.moved.state is not before:
            happened = Due()
        if happened is not None:
            self.take_in(happened)

    def takes_alone(self, happened: Event | Answer | None) -> bool:
        """Take in what happened if that needs no transaction; otherwise this is of no use any more."""
        if happened is None or isinstance(happened, Resumed):  # something was said, or may have been
            return False
        try:
            self.take_in(happened)
        except _NeedsTransaction:
            return False
        return True

    def take_in(self, happened: Event | Answer) -> None:
        """Take in what happened, and all that follows from it within the transaction."""
        queue: deque[Event | Answer] = deque([happened])
        while queue and self.moved.end is None:
            following = queue.popleft()
            if isinstance(following, Answer):
                following = self._note_result(following)
            self.moved.state, commands = engine.step(self.moved.run.saga, self.moved.state, following, self._now)
            output = self._output
            self._output = ""
            for command in commands:
                queue.extend(self._obey(command, output))

    def listen(self, signals: list[SagaSignal]) -> None:
        """Take in what was said, until nothing that is left fits."""
        while signals and self.moved.end is None:
            left = [one for one in signals if not self._heard(one)]
            if len(left) == len(signals):
                break
            signals[:] = left

    def keep(self, signals: list[SagaSignal]) -> None:
        """Take in what fits by now, and keep the rest for the steps that will wait for it."""
        self.listen(signals)
        if signals:
            changes = {"kept": True} if self.moved.end is None else {"taken_at": self._now}
            SagaSignal.objects.filter(pk__in=[one.pk for one in signals]).update(**changes)

    def finished(self) -> Moved:
        """The saga as it is to be written, with the calls that are still wanted."""
        moved = self.moved
        at_hand = {position.unit: position for position in moved.state.at if position.next_at is None}
        for call in self._pending:
            position = at_hand.get(call.unit)
            if position is not None and position.attempt == call.attempt:
                budget = patience.budget(moved.state, position, call.leaf, self._now)
                moved.calls.append((call, budget.total_seconds()))
        return moved

    def _heard(self, signal: SagaSignal) -> bool:
        moved = self.moved
        if signal.pk in self._unread:
            return False
        try:
            taken = take(moved.run, moved.state, moved.context, signal)
        except NotYet:
            return False
        if isinstance(taken, Answer) and taken.answered.outcome is Outcome.FAILED:
            self._unread.add(signal.pk)  # a fault of the saga's code: it stays until a later wave can read it
            self.take_in(taken)
            return False
        SagaSignal.objects.filter(pk=signal.pk).update(taken_at=self._now)
        if taken is not None:
            self.take_in(taken)
        return True

    def _note_result(self, answer: Answer) -> Answered:
        """Keep what a step at hand returned, for the context and for the log."""
        moved = self.moved
        moved.logged.append((answer.answered.unit, answer.answered.direction))
        if not any(position.unit == answer.answered.unit for position in moved.state.at):
            return answer.answered
        digest = digested(moved.run, answer, moved.context)
        if digest.result is not None:
            moved.context, self._output = digest.result.context, digest.result.output
        return digest.answered

    def _obey(self, command: Command, output: str) -> Iterable[Event | Answer]:
        """Do what the engine says as far as it belongs into the transaction; returns what came of that."""
        moved = self.moved
        match command:
            case Log():
                kept = output if command.outcome is Outcome.OK else ""
                if command.outcome is Outcome.BEGUN:
                    kept = beginning_of(moved.run)
                moved.lines.append(store.Line(moved.run, command, kept, self._worker))
            case Decide():
                self._ask_for_transaction()
                yield decide(moved.run, command.unit, moved.context, self._now)
            case Call():
                point(moved.run, command.unit, command.direction, "before_intent")
                if command.leaf.mode is Mode.CALL:
                    self._pending.append(command)
                else:
                    self._ask_for_transaction()
                    yield from self._run_local(command)
            case Ready():
                self._ask_for_transaction()
                children.tell_parent(moved.run, moved.state, moved.context)
            case End():
                yield from self._end(command)

    def _ask_for_transaction(self) -> None:
        if self._alone:
            raise _NeedsTransaction

    def _run_local(self, call: Call) -> Iterable[Event | Answer]:
        run = self.moved.run
        point(run, call.unit, call.direction, "after_intent")
        answer = attempt_locally(run, call, self.moved.context)
        point(run, call.unit, call.direction, "after_call")
        if call.leaf.mode is Mode.ASK and answer.answered.outcome is Outcome.OK:
            self.moved.logged.append((call.unit, call.direction))
            yield Asked(call.unit, call.direction)
        else:
            yield answer

    def _end(self, end: End) -> Iterable[Event]:
        """Call the saga's `ended`, beside which the end is recorded."""
        self._ask_for_transaction()
        moved, saga = self.moved, self.moved.run.saga
        with context.bound(moved.run.work()):
            try:
                with transaction.atomic():
                    if type(saga).ended is not Saga.ended:
                        saga.ended(execution_of(moved.run, moved.state, moved.context, self._now))
                    self._tell_relatives()
            except Exception as error:
                log.exception("saga.end_failed", extra={"saga": saga.name, "saga_id": str(moved.run.id)})
                answer = answer_of(error, local=True)
                yield EndingFailed(answer.error, answer.jitter)
            else:
                moved.end = end

    def _tell_relatives(self) -> None:
        moved = self.moved
        children.tell_parent(moved.run, moved.state, moved.context)
        if moved.run.saga.plan.has_children:  # also of one undone: where a person has skipped the undo of a child
            children.release(moved.run.id)
