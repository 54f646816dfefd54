"""A saga in a worker's hands, and its row."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from bandstand import context as work
from bandstand.sagas.definition import Direction, Saga
from bandstand.sagas.encoding import decode, encode
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.protocol import SagaStatus, State

__all__ = ["Run", "execution_of", "run_of"]


@dataclass(kw_only=True, slots=True)
class Run:
    """What a worker keeps of one saga: the state as last committed, never ahead of the database.

    `due` and `renewals` are moments of the monotonic clock; `context` is JSON.
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
    due: float | None = None
    renewals: dict[str, float] = field(default_factory=dict)

    def key(self, step: str) -> str:
        """The idempotency key of *step*: the same for every attempt and for its undo."""
        return f"{self.id}:{step}"

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


def run_of(row: SagaExecution, saga: Saga) -> Run:
    """Take a row into memory."""
    state = State(
        status=SagaStatus(row.status),
        step=row.step,
        direction=Direction(row.direction),
        attempt=row.attempt,
        since=row.since,
        next_at=row.next_at,
        deadline=row.deadline,
        done=tuple(row.done),
        ending=SagaStatus(row.ending) if row.ending else None,
        reason=row.reason,
        error=row.error,
        cancel_requested=row.cancel_requested,
    )
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
    )


def execution_of(run: Run, state: State, context: str, now: datetime) -> SagaExecution:
    """The row as it is about to be written: what a saga's `ended` is shown."""
    return SagaExecution(
        id=run.id,
        type=run.saga.name,
        business_key=run.business_key,
        status=state.status.value,
        step=state.step,
        direction=state.direction.value,
        attempt=state.attempt,
        since=state.since,
        done=list(state.done),
        context_data=decode(context),
        ending=state.ending.value if state.ending else "",
        reason=state.reason,
        error=state.error,
        cancel_requested=state.cancel_requested,
        correlation_id=run.correlation_id,
        traceparent=run.traceparent,
        epoch=run.epoch,
        next_at=state.next_at,
        deadline=state.deadline,
        created_at=run.created_at,
        updated_at=now,
    )
