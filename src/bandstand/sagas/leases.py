"""Whose a saga is, and until when: workers take sagas over, keep them and let them go, by the database's time."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from bandstand import clock
from bandstand.sagas.limits import Priority
from bandstand.sagas.models import SagaExecution, SagaSignal

__all__ = ["claim", "heartbeat", "release", "signalled"]


def claim(
    owner: UUID, *, known: Q, lease: timedelta, limit: int, again: set[UUID], since: datetime | None = None
) -> list[SagaExecution]:
    """Take over up to *limit* of the *known* sagas whose lease ran out, and those of *again* that are ours still.

    The more urgent ones first, and among those the ones that have waited longest. Leases that ran out before *since*
    are not looked at: what lies there in the index may be dead and wait for a vacuum.
    """
    now = clock.database_now()
    due = SagaExecution.objects.filter(known, priority__in=list(Priority), lease_until__lte=now)
    if since is not None:
        due = due.filter(lease_until__gt=since)
    ours = SagaExecution.objects.filter(pk__in=again, owner=owner)
    if not again and (limit <= 0 or not due.exists()):
        return []
    with transaction.atomic():
        rows = list(ours.select_for_update()) if again else []
        free = due.exclude(pk__in={row.pk for row in rows}).order_by("lease_until").select_for_update(skip_locked=True)
        for priority in sorted(Priority, reverse=True):
            rows += free.filter(priority=priority)[: max(0, limit - len(rows))]
        mine = SagaExecution.objects.filter(pk__in=[row.pk for row in rows])
        mine.update(owner=owner, epoch=F("epoch") + 1, lease_until=now + lease)
    for row in rows:
        row.epoch += 1
    return rows


def heartbeat(owner: UUID, ids: Iterable[UUID], *, lease: timedelta) -> int:
    """Renew the leases of all these sagas in one statement; returns how many are ours still."""
    until = clock.database_now() + lease
    return SagaExecution.objects.filter(pk__in=list(ids), owner=owner).update(lease_until=until)


def release(owner: UUID, ids: Iterable[UUID], *, at_once: Iterable[UUID] = ()) -> None:
    """Let any worker take these sagas, each from the moment its next attempt is due, or now: some need a keeper."""
    saga_ids = list(ids)
    if not saga_ids:
        return
    now = clock.database_now()
    held = SagaExecution.objects.filter(pk__in=saga_ids, owner=owner)
    held.filter(next_at__gt=now).exclude(pk__in=list(at_once)).update(owner=None, lease_until=F("next_at"))
    held.filter(owner=owner).update(owner=None, lease_until=now)


def signalled(owner: UUID, *, known: Q) -> list[UUID]:
    """Which sagas of *owner* were told something that no wave has taken in yet; those without an owner become due."""
    new = SagaSignal.objects.filter(taken_at=None, kept=False, proposed=False).values("saga_id")
    live = SagaExecution.objects.filter(pk__in=new, lease_until__isnull=False)
    now = clock.database_now()
    if not new.exists():
        return []
    # Nobody takes in any more what was said to a saga that has ended.
    still = SagaExecution.objects.filter(pk=OuterRef("saga_id"), lease_until__isnull=False)
    SagaSignal.objects.filter(~Exists(still), taken_at=None).update(taken_at=now)
    live.filter(known, owner=None, lease_until__gt=now).update(lease_until=now)
    return list(live.filter(owner=owner).values_list("pk", flat=True))
