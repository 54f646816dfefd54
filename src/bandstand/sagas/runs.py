"""A saga in a worker's hands, and its row."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import msgspec

from bandstand import context as work
from bandstand.sagas.definition import Saga
from bandstand.sagas.encoding import decode, encode
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.plan import base_of
from bandstand.sagas.protocol import SagaStatus, State
from bandstand.sagas.steps import Direction, SagaStep

__all__ = ["Run", "execution_of", "read_state", "renewable", "run_of", "write_state"]

_write = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder(State).decode


@dataclass(kw_only=True, slots=True)
class Run:
    """What a worker keeps of one saga: the state as last committed, never ahead of the database.

    `due` and `renewals` are moments of the monotonic clock; `context` is JSON. `reported` is the status last told of,
    also by an earlier owner.
    """

    id: UUID
    saga: Saga
    business_key: str
    epoch: int
    state: State
    context: str
    correlation_id: str
    traceparent: str
    created_at: datetime
    priority: int = 0
    limit_key: str | None = None
    parent_id: UUID | None = None
    parent_step: str = ""
    reported: SagaStatus | None = None
    due: float | None = None
    renewals: dict[str, float] = field(default_factory=dict)

    def key(self, unit: str) -> str:
        """The idempotency key of *unit*: the same for every attempt and for its undo, whatever it is called by now."""
        return f"{self.id}:{self.state.begun_as(unit)}"

    def work(self, *, deadline: float | None = None) -> work.Context:
        """The context in which this saga's steps run."""
        trace = work.parse_traceparent(self.traceparent)
        trace_id, span_id, sampled = trace or (work.new_id(), "", True)
        return work.Context(
            correlation_id=self.correlation_id or work.new_id(),
            trace_id=trace_id,
            parent_span_id=span_id,
            sampled=sampled,
            deadline=deadline,
            causation_id=str(self.id),
        )


def renewable(saga: Saga, state: State) -> list[tuple[str, SagaStep]]:
    """The done units that are repeated while the saga goes forward, and their steps. Of a buried one nobody knows."""
    if state.direction is Direction.UNDO or not saga.plan.renewed:
        return []
    steps = {step.name: step for step in saga.plan.renewed}
    units = (unit for unit in state.done if unit not in state.buried)
    return [(unit, steps[base_of(unit)]) for unit in units if base_of(unit) in steps]


def write_state(state: State) -> str:
    """A state as it is stored."""
    return _write(state).decode()


def read_state(text: str) -> State:
    """A state as it was stored."""
    return _read(text)


def run_of(row: SagaExecution, saga: Saga) -> Run:
    """Take a row into memory."""
    state = read_state(row.state)
    return Run(
        id=row.id,
        saga=saga,
        business_key=row.business_key,
        epoch=row.epoch,
        state=state,
        context=encode(row.context_data),
        correlation_id=row.correlation_id,
        traceparent=row.traceparent,
        created_at=row.created_at,
        priority=row.priority,
        limit_key=row.limit_key,
        parent_id=row.parent_id,
        parent_step=row.parent_step,
        reported=state.status,
    )


def execution_of(run: Run, state: State, context: str, now: datetime) -> SagaExecution:
    """The row as it is about to be written: what a saga's `ended` is shown."""
    first = state.at[0] if state.at else None
    return SagaExecution(
        id=run.id,
        type=run.saga.name,
        version=run.saga.version,
        business_key=run.business_key,
        status=state.status.value,
        step=first.unit if first else "",
        direction=state.direction.value,
        attempt=first.attempt if first else 0,
        state=write_state(state),
        context_data=decode(context),
        reason=state.reason,
        error=state.error,
        correlation_id=run.correlation_id,
        traceparent=run.traceparent,
        parent_id=run.parent_id,
        parent_step=run.parent_step,
        priority=run.priority,
        limit_key=run.limit_key,
        epoch=run.epoch,
        next_at=state.next_at,
        deadline=state.deadline,
        created_at=run.created_at,
        updated_at=now,
    )
