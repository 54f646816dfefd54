"""What may be said to a saga from outside, and how: one door for events, people, parents and children."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import QuerySet

from bandstand import clock
from bandstand.sagas.host import worker
from bandstand.sagas.models import SagaExecution, SagaSignal

__all__ = ["SignalName", "announce", "live", "send", "signal"]


class SignalName(StrEnum):
    """What is said."""

    HEARD = "heard"
    """The event or reply that a step waits for; the payload is its data."""
    RECALLED = "recalled"
    """A participant has taken back what it was asked for over the bus."""
    APPROVED = "approved"
    REJECTED = "rejected"
    CHILD_READY = "child_ready"
    CHILD_ENDED = "child_ended"
    PARENT_ENDED = "parent_ended"
    CANCEL = "cancel"
    COMPENSATE = "compensate"
    RETRY = "retry"
    SKIP = "skip"
    RESOLVE = "resolve"
    ANNOTATE = "annotate"


def send(
    saga_id: UUID, name: SignalName, *, step: str = "", payload: Any = None, said_by: str = "", note: str = ""
) -> None:
    """Say something to a saga, in the open transaction if there is one; its next wave takes it in.

    The saga is not locked. *payload* is JSON bytes, or anything with a JSON form.
    """
    now = clock.database_now()
    with transaction.atomic(savepoint=False):
        SagaSignal.objects.create(
            saga_id=saga_id,
            name=name.value,
            step=step,
            payload=_text(payload),
            said_by=said_by,
            note=note,
            at=now,
        )
        announce(saga_id, now)


def announce(saga_id: UUID, now: datetime) -> None:
    """Have somebody look soon at a saga to which something was said in the open transaction."""
    # One that waits without an owner is due at once. One that is held is not touched: its row may be locked.
    SagaExecution.objects.filter(pk=saga_id, owner=None, lease_until__gt=now).update(lease_until=now)
    transaction.on_commit(lambda: _notice(saga_id))


def signal(saga: str, business_key: Any, name: SignalName, **said: Any) -> bool:
    """As `send`, to the live saga of this type and business key; False when there is none."""
    saga_id = live(saga, business_key).values_list("pk", flat=True).first()
    if saga_id is not None:
        send(saga_id, name, **said)
    return saga_id is not None


def live(saga: str, business_key: Any) -> QuerySet[SagaExecution]:
    """The saga of this type and business key, if there is one that has not ended."""
    return SagaExecution.objects.filter(type=saga, business_key=str(business_key), lease_until__isnull=False)


def _text(payload: Any) -> str:
    if payload is None:
        return ""
    return payload.decode() if isinstance(payload, bytes) else msgspec.json.encode(payload).decode()


def _notice(saga_id: UUID) -> None:
    beside = worker()
    if beside is not None:
        beside.notice(saga_id)
