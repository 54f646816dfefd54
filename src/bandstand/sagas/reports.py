"""What the worker says of its sagas: metrics, and log lines in the context of what started them."""

import logging
from collections.abc import Iterable
from datetime import datetime

from bandstand import context
from bandstand.observability import metrics
from bandstand.sagas.protocol import Log, Outcome, SagaStatus
from bandstand.sagas.runs import Run
from bandstand.sagas.wave import Moved

__all__ = ["report_loss", "report_move", "report_stuck"]

log = logging.getLogger(__name__)
_executions = metrics.counter("saga_executions_total", "Sagas that reached a status.", ("saga", "status"))
_stuck = metrics.gauge(
    "saga_stuck_seconds", "How long the worst undo of this worker has been tried.", across_processes="livemax"
)


def _facts(run: Run) -> dict[str, object]:
    return {"saga": run.saga.name, "saga_id": str(run.id), "business_key": run.business_key, "step": run.state.step}


def report_move(moved: Moved) -> None:
    """Say that a saga ended or was parked."""
    run, state = moved.run, moved.state
    if moved.end is not None:
        _executions.labels(run.saga.name, state.status.value).inc()
        with context.bound(run.work()):
            log.info("saga.ended", extra={**_facts(run), "status": state.status.value, "reason": state.reason})
    elif state.status is SagaStatus.COMPENSATION_FAILED and _has_failed(moved.lines):
        _executions.labels(run.saga.name, state.status.value).inc()
        with context.bound(run.work()):
            log.error("saga.parked", extra={**_facts(run), "attempt": state.attempt, "error": state.error})


def _has_failed(lines: Iterable[Log]) -> bool:
    return any(line.outcome not in (Outcome.INTENT, Outcome.OK) for line in lines)


def report_loss(run: Run | None) -> None:
    """Say that another worker took a saga over."""
    if run is not None:
        with context.bound(run.work()):
            log.warning("saga.lease_lost", extra={**_facts(run), "epoch": run.epoch})


def report_stuck(runs: Iterable[Run], now: datetime) -> None:
    """Measure the undo that has been tried for the longest time."""
    ages = [(now - run.state.since).total_seconds() for run in runs if run.state.ending is not None]
    _stuck.set(max(ages, default=0.0))
