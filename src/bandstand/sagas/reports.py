"""What the worker says of its sagas: metrics, and log lines in the context of what started them."""

import logging
from collections.abc import Iterable, Mapping

from bandstand import context
from bandstand.observability import metrics
from bandstand.sagas.engine.patience import PARK_AFTER
from bandstand.sagas.plan import base_of
from bandstand.sagas.protocol import Outcome, SagaStatus
from bandstand.sagas.runs import Run
from bandstand.sagas.steps import Direction
from bandstand.sagas.store import Line
from bandstand.sagas.wave import Moved

__all__ = ["report_loss", "report_move", "report_parked"]

log = logging.getLogger(__name__)
_executions = metrics.counter("saga_executions_total", "Sagas that reached a status.", ("saga", "status"))
_failures = metrics.counter(
    "saga_compensation_failures_total", "Attempts at an undo that did not succeed.", ("saga", "step")
)
_parked = metrics.counter("saga_parked_total", "Sagas that no release here could go on with.", ("saga",))
_lost = metrics.counter("saga_leases_lost_total", "Sagas that another worker took over.", ("saga",))


def _facts(run: Run) -> dict[str, object]:
    at = run.state.at[0] if run.state.at else None
    facts: dict[str, object] = {"saga": run.saga.name, "saga_id": str(run.id), "business_key": run.business_key}
    return {**facts, "step": at.unit if at else "", "attempt": at.attempt if at else 0}


def report_move(moved: Moved) -> None:
    """Say that a saga ended or was parked; that this release lacks its step only once, whoever takes it up again."""
    run, state = moved.run, moved.state
    before, run.reported = run.reported, state.status
    failed = _failed(moved.lines)
    for line in failed:
        _failures.labels(run.saga.name, base_of(line.log.unit)).inc()
    if moved.end is not None:
        _executions.labels(run.saga.name, state.status.value).inc()
        with context.bound(run.work()):
            log.info("saga.ended", extra={**_facts(run), "status": state.status.value, "reason": state.reason})
    elif state.status is SagaStatus.COMPENSATION_FAILED and failed:
        if any(line.log.attempt == PARK_AFTER for line in failed):  # now, and not anew with each further attempt
            _executions.labels(run.saga.name, state.status.value).inc()
        with context.bound(run.work()):
            log.error("saga.parked", extra={**_facts(run), "error": state.error})
    elif state.status is SagaStatus.PARKED and before is not SagaStatus.PARKED:
        with context.bound(run.work()):
            report_parked({**_facts(run), "error": state.error})


def report_parked(facts: Mapping[str, object]) -> None:
    """Say that no release here can go on with a saga."""
    _parked.labels(facts["saga"]).inc()
    log.error("saga.parked", extra=dict(facts))


def _failed(lines: Iterable[Line]) -> list[Line]:
    """The attempts at an undo that did not succeed."""
    undone = [line for line in lines if line.log.direction is Direction.UNDO]
    return [line for line in undone if line.log.outcome not in (Outcome.INTENT, Outcome.OK, Outcome.ABSENT)]


def report_loss(run: Run | None) -> None:
    """Say that another worker took a saga over."""
    if run is not None:
        _lost.labels(run.saga.name).inc()
        with context.bound(run.work()):
            log.warning("saga.lease_lost", extra={**_facts(run), "epoch": run.epoch})
