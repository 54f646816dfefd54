"""One wave: all outcomes at hand, of all sagas, in one transaction, together with the intents that follow them."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from bandstand import clock, context
from bandstand.sagas import engine, store
from bandstand.sagas.calls import answer_of, attempt, point
from bandstand.sagas.definition import Direction, Saga, SagaStep
from bandstand.sagas.models import CancelRequest
from bandstand.sagas.protocol import Answered, Call, Command, End, EndingFailed, Event, Log, Outcome, State, Wait
from bandstand.sagas.runs import Run, execution_of

__all__ = ["Input", "Moved", "Tenure", "persist"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Input:
    """What happened to a saga; `context` is what an answered call left behind."""

    run: Run
    event: Event
    context: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenure:
    """In whose name a wave writes. A worker that is `leaving` gives every saga up with the same write."""

    owner: UUID
    lease: timedelta
    leaving: bool = False


@dataclass(kw_only=True, slots=True)
class Moved:
    """A saga as a wave leaves it: what to do once the commit is durable. `budget` and `pause` are in seconds."""

    run: Run
    state: State
    context: str
    lines: list[Log] = field(default_factory=list)
    logged: list[tuple[SagaStep, Direction]] = field(default_factory=list)
    call: Call | None = None
    until: datetime | None = None
    budget: float = 0.0
    pause: float | None = None
    end: End | None = None
    kept: bool = True


def persist(inputs: Iterable[Input], tenure: Tenure) -> tuple[list[Moved], set[UUID]]:
    """Move these sagas on in one transaction; returns them and the ids of those that another worker has taken over.

    Local steps and the follow-ups of ends run inside, each in a savepoint of its own. Whatever is raised, nothing of
    the wave is written - unless the commit itself broke, and then nobody knows: read the rows anew.
    """
    work = list(inputs)
    with transaction.atomic():
        now = clock.database_now()
        held = store.lock({one.run.id for one in work})
        moves: dict[UUID, Moved] = {}
        lost: set[UUID] = set()
        for one in work:
            epoch, is_wished = held.get(one.run.id, (0, False))
            if epoch != one.run.epoch:
                lost.add(one.run.id)
                continue
            moved = moves.setdefault(one.run.id, Moved(run=one.run, state=one.run.state, context=one.run.context))
            if moved.end is None:
                _advance(moved, one, now, is_wished=is_wished)
        _write(list(moves.values()), tenure, now)
    return list(moves.values()), lost


def _write(moves: list[Moved], tenure: Tenure, now: datetime) -> None:
    store.save([_row(moved, tenure, now) for moved in moves], now)
    store.append([store.Line(moved.run, line) for moved in moves for line in moved.lines], now)
    settled = [moved.run.id for moved in moves if moved.end and moved.state.cancel_requested]
    if settled:
        CancelRequest.objects.filter(pk__in=settled).delete()


def _row(moved: Moved, tenure: Tenure, now: datetime) -> store.Move:
    owner: UUID | None = tenure.owner
    lease_until: datetime | None = now + tenure.lease
    far = moved.until is not None and moved.until - now > tenure.lease and not _renews(moved)
    if moved.end:
        owner, lease_until, moved.kept = None, None, False
    elif tenure.leaving or far:
        owner, lease_until, moved.kept = None, moved.until or now, False
    return store.Move(run=moved.run, state=moved.state, context=moved.context, owner=owner, lease_until=lease_until)


def _renews(moved: Moved) -> bool:
    return moved.state.direction is Direction.DO and any(
        step.renew_every and step.name in moved.state.done for step in moved.run.saga.steps
    )


def _advance(moved: Moved, one: Input, now: datetime, *, is_wished: bool) -> None:
    """Take one saga through the engine until it waits for something outside this transaction."""
    if is_wished and not moved.state.cancel_requested:
        moved.state = replace(moved.state, cancel_requested=True)
    if isinstance(one.event, Answered):
        _note_answer(moved, one.event, one.context)
    event: Event | None = one.event
    while event is not None:
        moved.state, commands = engine.step(moved.run.saga, moved.state, event, now)
        if commands:  # none: the call under way stays the one to wait for
            moved.call = moved.until = None
        event = _obey(moved, commands, now)
    if moved.call:
        moved.budget = engine.budget(moved.run.saga, moved.state, now).total_seconds()
    moved.pause = (moved.until - now).total_seconds() if moved.until else None


def _note_answer(moved: Moved, answer: Answered, text: str | None) -> None:
    step = moved.run.saga.step(moved.state.step)
    if step is not None:
        moved.logged.append((step, moved.state.direction))
    if text is not None and answer.outcome is Outcome.OK:
        moved.context = text


def _obey(moved: Moved, commands: Iterable[Command], now: datetime) -> Event | None:
    """Do what the engine says as far as it belongs into the transaction; returns what came of that, if anything."""
    for command in commands:
        match command:
            case Log():
                moved.lines.append(command)
            case Call():
                point(moved.run, command.step, command.direction, "before_intent")
                if command.step.local:
                    return _run_local(moved, command)
                moved.call = command
            case Wait():
                moved.until = command.until
            case End():
                return _follow_up(moved, command, now)
    return None


def _run_local(moved: Moved, call: Call) -> Answered:
    run = moved.run
    point(run, call.step, call.direction, "after_intent")
    with context.bound(run.work()):
        answer, text = attempt(run, call, moved.context)
    point(run, call.step, call.direction, "after_call")
    _note_answer(moved, answer, text)
    return answer


def _follow_up(moved: Moved, end: End, now: datetime) -> EndingFailed | None:
    """Call the saga's `ended`, beside which the end is recorded."""
    saga = moved.run.saga
    if type(saga).ended is not Saga.ended:
        with context.bound(moved.run.work()):
            try:
                with transaction.atomic():
                    saga.ended(execution_of(moved.run, moved.state, moved.context, now))
            except Exception as error:
                log.exception("saga.end_failed", extra={"saga": saga.name, "saga_id": str(moved.run.id)})
                answer = answer_of(error, local=True)
                return EndingFailed(answer.error, answer.jitter)
    moved.end = end
    return None
