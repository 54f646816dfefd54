"""How a saga is born: in the transaction of its cause, leased to this process, its first intent logged."""

from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from django.db import transaction

from bandstand import clock, context
from bandstand.sagas import engine, store
from bandstand.sagas.calls import point
from bandstand.sagas.definition import Saga
from bandstand.sagas.encoding import encode
from bandstand.sagas.protocol import Begun, Call, Log
from bandstand.sagas.registry import sagas
from bandstand.sagas.runs import Run

__all__ = ["SagaWorker", "install_worker", "start", "worker"]


class SagaWorker(Protocol):
    """What a worker offers to the code that runs beside it in the same process."""

    owner: UUID
    lease: timedelta

    def accepts(self) -> bool:
        """Whether a saga may be born leased to this worker."""

    def adopt(self, run: Run, call: Call | None) -> None:
        """Take over a saga whose birth is committed, and make its first call."""

    def notice_cancellation(self, saga_id: UUID) -> None:
        """Look at a saga whose cancellation was wished."""


_worker: SagaWorker | None = None


def install_worker(found: SagaWorker | None) -> SagaWorker | None:
    """Make *found* the worker of this process (None: it has none) and return the one it replaces."""
    global _worker
    previous, _worker = _worker, found
    return previous


def worker() -> SagaWorker | None:
    """The worker of this process, if it runs one."""
    return _worker


def start(saga: type[Saga] | Saga, event: Any) -> UUID | None:
    """Start *saga* for *event* in the open transaction, or in one of its own; returns its id.

    Idempotent: returns None when a saga of this type has run for the same business key, however it ended. With a
    worker in this process the saga is born leased to it and its first call follows the commit at once.
    """
    declared = saga if isinstance(saga, Saga) else sagas.get(saga.name)
    if declared is None:
        raise LookupError(f"{saga} is not declared: a saga needs a name")
    with transaction.atomic(savepoint=False):
        return _born(declared, event, clock.database_now())


def _born(saga: Saga, event: Any, now: Any) -> UUID | None:
    business_key, first_context = saga.begin(event)
    cause = context.current()
    state = engine.born(saga, now)
    run = Run(
        id=clock.uuid7(),
        saga=saga,
        business_key=str(business_key),
        epoch=1,
        state=state,
        context=encode(first_context),
        correlation_id=cause.correlation_id,
        traceparent=cause.traceparent,
        created_at=now,
    )
    host = _worker if _worker is not None and _worker.accepts() else None
    if host is None:
        move = store.Move(run=run, state=state, context=run.context, owner=None, lease_until=now)
        return run.id if store.insert(move, now) else None
    return _born_leased(run, host, now)


def _born_leased(run: Run, host: SagaWorker, now: Any) -> UUID | None:
    call: Call | None = None
    lines: list[store.Line] = []
    if not run.saga.steps[0].local:  # a local one belongs into the worker's transaction, not into the publisher's
        run.state, commands = engine.step(run.saga, run.state, Begun(), now)
        lines = [store.Line(run, command) for command in commands if isinstance(command, Log)]
        call = next(command for command in commands if isinstance(command, Call))
        point(run, call.step, call.direction, "before_intent")
    move = store.Move(run=run, state=run.state, context=run.context, owner=host.owner, lease_until=now + host.lease)
    if not store.insert(move, now):
        return None
    store.append(lines, now)
    transaction.on_commit(lambda: host.adopt(run, call))
    return run.id
