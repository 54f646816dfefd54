"""Comparing what participants hold with what the history says: late effects are undone, the rest is reported."""

import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from bandstand import clock
from bandstand.config import section
from bandstand.lifecycle import Loop
from bandstand.observability import metrics
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.definition import Saga
from bandstand.sagas.late_effects import LateEffect, UndoLateEffect
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.plan import base_of
from bandstand.sagas.registry import sagas
from bandstand.sagas.runs import read_state
from bandstand.sagas.starting import start
from bandstand.sagas.steps import SagaStep

__all__ = ["Finding", "FindingKind", "ReconcileLoop", "reconcile"]

log = logging.getLogger(__name__)
_findings = metrics.counter(
    "saga_reconciliation_findings_total", "Where participants and history differ.", ("saga", "step", "kind")
)
_MANY = 500
_LOOK = timedelta(seconds=30)


class FindingKind(StrEnum):
    """How participant and history differ."""

    LATE = "late"
    """The participant holds an effect that the saga has undone, or never had."""
    STRANGER = "stranger"
    """The participant holds a key of which no saga here knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One difference. A late effect is `undone` when this reconciliation has begun to undo it."""

    kind: FindingKind
    saga: str
    step: str
    key: str
    undone: bool = False


def reconcile(saga: Saga, *, since: datetime, dry_run: bool = False) -> list[Finding]:
    """Compare the listings of a saga's participants with its history, and undo what came late.

    A saga that has not ended is left alone: it settles its own steps. Undoing is a saga of its own, begun once for each
    effect, however often this runs; with *dry_run* nothing is begun. What a listing raises is raised.
    """
    found: list[Finding] = []
    for leaf in saga.plan.leaves:
        if isinstance(leaf, SagaStep) and leaf.listing is not None:
            found += _compare(saga, leaf, leaf.listing(since))
    return found if dry_run else [_settle(finding) for finding in found]


def _compare(saga: Saga, leaf: SagaStep, keys: Iterable[str]) -> Iterator[Finding]:
    held = {key: parts for key in keys if (parts := _parts(key)) is not None and base_of(parts[1]) == leaf.name}
    names = list(held)
    for start_at in range(0, len(names), _MANY):
        batch = names[start_at : start_at + _MANY]
        rows = SagaExecution.objects.filter(pk__in={held[key][0] for key in batch}, type=saga.name)
        known = {row.pk: row for row in rows}
        for key in batch:
            saga_id, unit = held[key]
            row = known.get(saga_id)
            if row is None:
                yield Finding(kind=FindingKind.STRANGER, saga=saga.name, step=unit, key=key)
            elif row.lease_until is None and unit not in read_state(row.state).done:
                yield Finding(kind=FindingKind.LATE, saga=saga.name, step=unit, key=key)


def _parts(key: str) -> tuple[UUID, str] | None:
    """Saga and unit of a key; None for what is no key of ours."""
    saga_id, _, unit = key.partition(":")
    try:
        return UUID(saga_id), unit
    except ValueError:
        return None


def _settle(finding: Finding) -> Finding:
    _findings.labels(finding.saga, base_of(finding.step), finding.kind.value).inc()
    saga_id, _, unit = finding.key.partition(":")
    undone = False
    if finding.kind is FindingKind.LATE:
        undone = start(UndoLateEffect, LateEffect(saga_id=UUID(saga_id), unit=unit)) is not None
    facts = {"saga": finding.saga, "saga_id": saga_id, "step": unit, "kind": finding.kind.value, "undone": undone}
    log.error("saga.effect_unaccounted", extra=facts)
    return Finding(kind=finding.kind, saga=finding.saga, step=finding.step, key=finding.key, undone=undone)


class ReconcileLoop(Loop):
    """Reconcile all sagas with listings, every now and then."""

    name = "saga-reconciliation"
    stall_after = timedelta(minutes=10)

    def run(self, stop: threading.Event) -> None:
        """Compare, and rest; a listing that fails waits for the next time."""
        config = section(SagasConfig)
        due = clock.monotonic() + config.reconcile_every.total_seconds()
        while not stop.wait(_LOOK.total_seconds()):
            self.beat()
            if clock.monotonic() >= due:
                due = clock.monotonic() + config.reconcile_every.total_seconds()
                self._reconcile_all(config.reconcile_span)

    def _reconcile_all(self, span: timedelta) -> None:
        for saga in sagas:
            with self.iteration():
                self._reconcile(saga, clock.database_now() - span)

    @staticmethod
    def _reconcile(saga: Saga, since: datetime) -> None:
        try:
            reconcile(saga, since=since)
        except Exception:  # a participant out of reach, or a fault of the listing: the next saga is not concerned
            log.exception("saga.reconciliation_failed", extra={"saga": saga.name})
