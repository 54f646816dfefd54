"""Letting pending sagas begin, as their type's limit allows: counted under a lock, over all workers."""

from collections import Counter
from datetime import datetime

from django.db import transaction
from django.db.models import Count, QuerySet

from bandstand import clock
from bandstand.sagas.definition import Saga
from bandstand.sagas.engine import admitted
from bandstand.sagas.limits import Limit
from bandstand.sagas.models import SagaExecution, SagaQuota
from bandstand.sagas.protocol import SagaStatus
from bandstand.sagas.registry import sagas
from bandstand.sagas.runs import read_state, write_state

__all__ = ["admit", "admit_all"]

_LOOK_AT = 1000
"""So many pending sagas are looked at in one go when a limit per key picks among them."""


def admit(saga: Saga, *, most: int) -> int:
    """Let up to *most* pending sagas of a type begin; returns how many. They are due at once, for any worker."""
    limit, now = saga.limit, clock.database_now()
    waiting = _waiting([saga.name], now)
    if limit is None or most <= 0 or not waiting.exists():
        return 0
    with transaction.atomic():
        quota = _locked(saga.name)
        chosen = _choose(waiting, limit, saga.name, min(most, _room(saga.name, limit, quota, now)))
        begun = sum(_release(row, now) for row in chosen)
        if begun and limit.starts is not None:
            quota.used_until = limit.starts.used(quota.used_until, now, begun)
            quota.save(update_fields=["used_until"])
    return begun


def admit_all(*, most: int) -> None:
    """Let pending sagas of all limited types begin, up to *most* of each; one query where none waits."""
    limited = [saga for saga in sagas if saga.limit is not None and sagas.is_newest(saga)]
    if limited and most > 0 and _waiting([saga.name for saga in limited], clock.database_now()).exists():
        for saga in limited:
            admit(saga, most=most)


def _waiting(names: list[str], now: datetime) -> QuerySet[SagaExecution]:
    return SagaExecution.objects.filter(
        type__in=names,
        status=SagaStatus.PENDING,
        lease_until__isnull=False,
        limit_key__isnull=False,
        owner=None,
        next_at__lte=now,
    )


def _locked(name: str) -> SagaQuota:
    SagaQuota.objects.bulk_create([SagaQuota(type=name)], ignore_conflicts=True)
    return SagaQuota.objects.select_for_update().get(type=name)


def _room(name: str, limit: Limit, quota: SagaQuota, now: datetime) -> int:
    room = [_LOOK_AT]
    if limit.live is not None:
        room.append(limit.live - _under_way(name).count())
    if limit.starts is not None:
        room.append(limit.starts.allowed(quota.used_until, now))
    return max(0, min(room))


def _under_way(name: str) -> QuerySet[SagaExecution]:
    live = SagaExecution.objects.filter(type=name, lease_until__isnull=False, limit_key__isnull=False)
    return live.exclude(status=SagaStatus.PENDING)


def _choose(waiting: QuerySet[SagaExecution], limit: Limit, name: str, room: int) -> list[SagaExecution]:
    """The first ones whose keys have room."""
    in_order = waiting.order_by("-priority", "next_at", "id")
    if limit.per_key is None or room == 0:
        return list(in_order[:room])
    taken: Counter[str | None] = Counter(dict(_under_way(name).values_list("limit_key").annotate(Count("id"))))
    full = [key for key, number in taken.items() if number >= limit.per_key]
    chosen: list[SagaExecution] = []
    for row in in_order.exclude(limit_key__in=full)[:_LOOK_AT]:
        if len(chosen) < room and taken[row.limit_key] < limit.per_key:
            taken[row.limit_key] += 1
            chosen.append(row)
    return chosen


def _release(row: SagaExecution, now: datetime) -> bool:
    """Let one begin, unless a worker has it in its hands because something was said to it: then the next time."""
    state = write_state(admitted(read_state(row.state), now))
    free = SagaExecution.objects.filter(pk=row.pk, epoch=row.epoch, owner=None, status=SagaStatus.PENDING)
    changes = {"state": state, "status": SagaStatus.RUNNING, "epoch": row.epoch + 1, "lease_until": now, "next_at": now}
    return free.update(**changes) == 1
