"""What is said of journeys: metrics, and log lines in the context of what began them."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from bandstand import clock, context
from bandstand.observability.metrics import counter, gauge
from bandstand.sagas.choreography.expectation import Progress, State

__all__ = ["Moved", "report", "report_stalled"]

log = logging.getLogger(__name__)
_reached = counter("choreography_total", "Journeys that reached a state.", ("choreography", "state"))
_stalled = gauge(
    "choreography_stalled",
    "Journeys that have stalled and wait for an event or a person.",
    ("choreography",),
    across_processes="livemax",
)


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A journey before and after; *event* is what moved it, "" where only time passed."""

    name: str
    key: str
    correlation_id: str
    before: State | None
    progress: Progress
    event: str = ""


def report(moves: Iterable[Moved]) -> None:
    """Count and tell the journeys that reached another state; call it once that is committed."""
    for moved in moves:
        if moved.before is not moved.progress.state:
            _reached.labels(moved.name, moved.progress.state.value).inc()
            _tell(moved)


def _tell(moved: Moved) -> None:
    progress = moved.progress
    facts: dict[str, object] = {"choreography": moved.name, "key": moved.key, "event": moved.event}
    facts |= {"note": progress.note, "waiting_for": list(progress.waiting_for)}
    with context.bound(_work(moved)):
        if progress.state is State.STALLED:
            log.error("choreography.stalled", extra={**facts, "due_at": _spelled(progress)})
        elif progress.state is State.DEVIATED:
            log.error("choreography.deviated", extra=facts)
        elif moved.before in (State.STALLED, State.DEVIATED, State.DISMISSED):
            log.warning("choreography.resumed", extra={**facts, "state": progress.state.value, "was": moved.before})


def _spelled(progress: Progress) -> str | None:
    return clock.rfc3339(progress.due_at) if progress.due_at else None


def _work(moved: Moved) -> context.Context:
    known = context.valid_correlation_id(moved.correlation_id)
    return context.Context(correlation_id=moved.correlation_id) if known else context.Context()


def report_stalled(numbers: Iterable[tuple[str, int]]) -> None:
    """Set how many journeys of each choreography stand still."""
    for name, number in numbers:
        _stalled.labels(name).set(number)
