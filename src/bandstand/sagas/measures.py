"""What all sagas of this service look like from outside: how many live, how long the worst is stuck, what waits."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Count, Q

from bandstand import clock
from bandstand.observability import metrics
from bandstand.sagas.models import SagaExecution, SagaSignal
from bandstand.sagas.operations.case import Case
from bandstand.sagas.operations.reasons import stuck
from bandstand.sagas.protocol import SagaStatus

__all__ = ["Measures"]

_live = metrics.gauge(
    "saga_live", "Sagas that have not ended, of all workers.", ("saga", "status"), across_processes="livemax"
)
_stuck_seconds = metrics.gauge(
    "saga_stuck_seconds",
    "How long the worst saga undoes, is unknown, parked, beyond its deadline or without a worker.",
    across_processes="livemax",
)
_signals = metrics.gauge(
    "saga_signals_waiting", "Signals that no live saga has taken in yet.", across_processes="livemax"
)

_OLDEST = 200
_TROUBLED = [
    SagaStatus.UNKNOWN,
    SagaStatus.COMPENSATING,
    SagaStatus.COMPENSATION_FAILED,
    SagaStatus.PARKED,
]
_UNATTENDED = timedelta(seconds=30)


class Measures:
    """Counts the live rows, which an index holds however many have ended."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def take(self) -> None:
        """Measure now. Of more than 200 sagas in trouble the oldest 200 are looked at."""
        now = clock.database_now()
        live = SagaExecution.objects.filter(lease_until__isnull=False)
        counts = {(saga, status): number for saga, status, number in
                  live.values_list("type", "status").annotate(Count("pk")).order_by()}  # fmt: skip
        for saga, status in self._seen | counts.keys():
            _live.labels(saga, status).set(counts.get((saga, status), 0))
        self._seen |= counts.keys()
        late = Q(deadline__lt=now) | Q(lease_until__lt=now - _UNATTENDED)
        troubled = live.filter(Q(status__in=_TROUBLED) | late).order_by("pk")[:_OLDEST]
        _stuck_seconds.set(_worst(troubled, now))
        said = SagaSignal.objects.filter(taken_at=None, kept=False, proposed=False)
        _signals.set(said.filter(saga_id__in=live.values("pk")).count())


def _worst(rows: Iterable[SagaExecution], now: datetime) -> float:
    return max((_seconds(row, now) for row in rows), default=0.0)


def _seconds(row: SagaExecution, now: datetime) -> float:
    """How long a saga has been in trouble: since the step in question was begun, or since what is overdue."""
    case = Case(row, now)
    moments = [at.since for at in case.state.at if at.doubt or case.is_turning_back]
    if row.status == SagaStatus.PARKED:
        moments.append(row.updated_at)
    if (why := stuck(row, now)) == "beyond its deadline" and row.deadline is not None:
        moments.append(row.deadline)
    elif why == "no worker" and row.lease_until is not None:
        moments.append(row.lease_until)
    return max(((now - moment).total_seconds() for moment in moments), default=0.0)
