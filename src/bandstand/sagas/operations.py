"""What a person or a command may do to sagas: find them, cancel them, hurry them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from bandstand import clock
from bandstand.sagas.definition import Saga
from bandstand.sagas.models import CancelRequest, SagaExecution, SagaStepLog
from bandstand.sagas.protocol import LIVE
from bandstand.sagas.starting import worker

__all__ = ["Timeline", "cancel", "find", "purge", "request_cancel", "retry", "timeline"]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """One saga and its history, oldest line first."""

    saga: SagaExecution
    log: list[SagaStepLog]


def request_cancel(saga: type[Saga] | str, business_key: Any) -> bool:
    """Wish a saga undone, in the open transaction if there is one; False when it is absent or has ended.

    The saga turns back as soon as it can and ends `cancelled` once everything is undone, unless it has passed its
    pivot: then it goes on and completes. Wishing twice is wishing once.
    """
    name = saga if isinstance(saga, str) else saga.name
    ids = SagaExecution.objects.filter(type=name, business_key=str(business_key), lease_until__isnull=False)
    saga_id = ids.values_list("pk", flat=True).first()
    return saga_id is not None and _wish(saga_id)


def cancel(saga_id: UUID) -> bool:
    """As `request_cancel`, by the saga's own id."""
    return SagaExecution.objects.filter(pk=saga_id, lease_until__isnull=False).exists() and _wish(saga_id)


def _wish(saga_id: UUID) -> bool:
    now = clock.database_now()
    with transaction.atomic(savepoint=False):
        CancelRequest.objects.bulk_create([CancelRequest(saga_id=saga_id, requested_at=now)], ignore_conflicts=True)
        # One that waits without an owner is due at once. One that is held is not touched: its row may be locked.
        SagaExecution.objects.filter(pk=saga_id, owner=None, lease_until__gt=now).update(lease_until=now)
        transaction.on_commit(lambda: _notice(saga_id))
    return True


def _notice(saga_id: UUID) -> None:
    beside = worker()
    if beside is not None:
        beside.notice_cancellation(saga_id)


def find(*, statuses: list[str] | None = None, saga: str | None = None, limit: int = 50) -> QuerySet[SagaExecution]:
    """The latest sagas; *statuses* empty means all that have not ended."""
    wanted = statuses or sorted(status.value for status in LIVE)
    found = SagaExecution.objects.filter(status__in=wanted).order_by("-created_at")
    return (found.filter(type=saga) if saga else found)[:limit]


def timeline(saga_id: UUID) -> Timeline:
    """One saga with its history. Raises SagaExecution.DoesNotExist."""
    row = SagaExecution.objects.get(pk=saga_id)
    return Timeline(saga=row, log=list(SagaStepLog.objects.filter(saga_id=saga_id).order_by("id")))


def retry(saga_id: UUID) -> bool:
    """Make the next attempt of a waiting or parked saga now; False when it has ended.

    The saga is taken from whichever worker holds it: a new epoch fences that one off, and a call it has under way
    is repeated with the same key.
    """
    now = clock.database_now()
    taken = SagaExecution.objects.filter(pk=saga_id, lease_until__isnull=False).update(
        epoch=F("epoch") + 1, owner=None, lease_until=now, next_at=now
    )
    return taken == 1


def purge(*, older_than: timedelta, batch: int = 500) -> int:
    """Delete sagas that ended longer ago than *older_than*, with their log; returns how many.

    In batches of a transaction each, so that nothing else waits. A saga that has not ended is never deleted.
    """
    before = clock.database_now() - older_than
    total = 0
    while ids := list(
        SagaExecution.objects.filter(lease_until=None, updated_at__lt=before).values_list("pk", flat=True)[:batch]
    ):
        with transaction.atomic():
            SagaStepLog.objects.filter(saga_id__in=ids).delete()
            SagaExecution.objects.filter(pk__in=ids).delete()
        total += len(ids)
    return total
