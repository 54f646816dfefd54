"""How a saga is born: in the transaction of its cause, leased to this process, its first intent logged."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from bandstand import clock, context
from bandstand.sagas import engine, store
from bandstand.sagas.calls import point
from bandstand.sagas.definition import Saga
from bandstand.sagas.encoding import encode
from bandstand.sagas.engine.patience import LONG
from bandstand.sagas.host import SagaWorker, worker
from bandstand.sagas.limits import Priority
from bandstand.sagas.protocol import Begun, Call, Log, Outcome, SagaStatus
from bandstand.sagas.registry import sagas
from bandstand.sagas.results import beginning_of
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import Leaf, Mode

__all__ = ["start", "start_child"]


def start(
    saga: type[Saga] | Saga, event: Any, *, at: datetime | None = None, priority: Priority | None = None
) -> UUID | None:
    """Start *saga* for *event* in the open transaction, or in one of its own; returns its id.

    Idempotent: returns None when a saga of this type has run for the same business key, however it ended. With a
    worker in this process the saga is born leased to it and its first call follows the commit at once. With *at* it
    begins at that moment, and its deadline counts from then.
    """
    with transaction.atomic(savepoint=False):
        return _born(_declared(saga), event, _Birth(clock.database_time(), at=at, priority=priority))


def start_child(saga: type[Saga], event: Any, parent_id: UUID, parent_step: str) -> UUID | None:
    """As `start`, as a step of another saga, in the transaction of that one's log."""
    return _born(_declared(saga), event, _Birth(clock.database_time(), parent=(parent_id, parent_step)))


@dataclass(frozen=True, slots=True)
class _Birth:
    """When, under whom and how urgently a saga is born."""

    now: datetime
    at: datetime | None = None
    priority: Priority | None = None
    parent: tuple[UUID | None, str] = (None, "")


def _declared(saga: type[Saga] | Saga) -> Saga:
    declared = saga if isinstance(saga, Saga) else sagas.get(saga.name)
    if declared is None:
        raise LookupError(f"{saga} is not declared: a saga needs a name")
    return declared


def _born(saga: Saga, event: Any, birth: _Birth) -> UUID | None:
    business_key, first_context = saga.begin(event)
    cause = context.current()
    limit, (parent_id, parent_step) = saga.limit, birth.parent
    start_at = birth.at if birth.at is not None and birth.at > birth.now else None
    limited = limit is not None
    run = Run(
        id=clock.uuid7(),
        saga=saga,
        business_key=str(business_key),
        epoch=1,
        state=engine.born(saga, birth.now, parent=parent_step, start_at=start_at, limited=limited),
        context=encode(first_context, saga.context),
        correlation_id=cause.correlation_id,
        traceparent=cause.traceparent,
        created_at=birth.now,
        priority=int(saga.priority if birth.priority is None else birth.priority),
        limit_key=limit.key_of(first_context) if limit is not None else None,
        parent_id=parent_id,
        parent_step=parent_step,
    )
    host = worker()
    if run.state.status is SagaStatus.PENDING:
        return _born_pending(run, host, birth.now)
    return _born_leased(run, host, birth.now) if host is not None and host.accepts() else _born_free(run, birth.now)


def _born_pending(run: Run, host: SagaWorker | None, now: datetime) -> UUID | None:
    until = now + LONG if run.limit_key is not None else run.state.next_at
    write = store.Write(run=run, state=run.state, context=run.context, owner=None, lease_until=until)
    if not store.insert(write, (), now):
        return None
    if host is not None:
        transaction.on_commit(lambda: host.notice(run.id))
    return run.id


def _born_free(run: Run, now: datetime) -> UUID | None:
    write = store.Write(run=run, state=run.state, context=run.context, owner=None, lease_until=now)
    return run.id if store.insert(write, (), now) else None


def _born_leased(run: Run, host: SagaWorker, now: datetime) -> UUID | None:
    calls: list[Call] = []
    lines: list[store.Line] = []
    if _begins_remotely(run.saga):  # whatever else belongs into the worker's transaction, not into the publisher's
        run.state, commands = engine.step(run.saga, run.state, Begun(), now)
        lines = [_line(run, command, host.owner) for command in commands if isinstance(command, Log)]
        calls = [command for command in commands if isinstance(command, Call)]
        for call in calls:
            point(run, call.unit, call.direction, "before_intent")
    lease_until = now + host.lease
    write = store.Write(run=run, state=run.state, context=run.context, owner=host.owner, lease_until=lease_until)
    if not store.insert(write, lines, now):
        return None
    transaction.on_commit(lambda: host.adopt(run, calls))
    return run.id


def _begins_remotely(saga: Saga) -> bool:
    first = saga.plan.first
    node = first.node if first is not None else None
    return isinstance(node, Leaf) and node.mode is Mode.CALL and not node.decides


def _line(run: Run, command: Log, worker_id: UUID) -> store.Line:
    """The first line of all keeps what the saga began with."""
    return store.Line(run, command, beginning_of(run) if command.outcome is Outcome.BEGUN else "", worker_id)
