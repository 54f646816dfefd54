"""Reads of the payments service."""

from collections.abc import Collection
from datetime import timedelta

from django.db.models import QuerySet

from bandstand import clock
from payments.models import Payment, Refund, State


def payments() -> "QuerySet[Payment]":
    """Payments newest first, without the tombstones of payments that never came."""
    return Payment.objects.filter(order_id__isnull=False)


def payment_of(key: str) -> Payment | None:
    """The payment of a key, tombstones included."""
    return Payment.objects.filter(key=key).first()


def states_of(keys: Collection[str]) -> dict[str, str]:
    """The states of the payments known among *keys*."""
    return dict(Payment.objects.filter(key__in=list(keys)).values_list("key", "state"))


def unsettled(*, older_than: timedelta, limit: int) -> list[Payment]:
    """Payments whose outcome is unknown for longer than that, oldest first."""
    until = clock.now() - older_than
    return list(Payment.objects.filter(state=State.PENDING, updated_at__lt=until).order_by("updated_at")[:limit])


def open_refunds(*, older_than: timedelta, limit: int) -> list[Refund]:
    """Refunds the provider has not confirmed for longer than that, oldest first."""
    until = clock.now() - older_than
    found = Refund.objects.select_related("payment").filter(is_done=False, created_at__lt=until)
    return list(found.order_by("created_at")[:limit])
