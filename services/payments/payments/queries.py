"""Reads of the payments service."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import QuerySet

from bandstand import clock
from bandstand.database.statements import Statement
from payments.models import Comparison, Payment, Refund, RefundState

_BY_KEY = Statement(Payment, "SELECT {columns} FROM {table} WHERE key = %s")


def payments() -> "QuerySet[Payment]":
    """Payments newest first, without the tombstones of payments that never came."""
    return Payment.objects.filter(order_id__isnull=False)


def payment_of(key: str) -> Payment | None:
    """The payment of a key, tombstones included."""
    return _BY_KEY.first(key)


def states_of(keys: Collection[str]) -> dict[str, str]:
    """The states of the payments known among *keys*."""
    return dict(Payment.objects.filter(key__in=list(keys)).values_list("key", "state"))


def unsettled(*, older_than: timedelta, limit: int) -> list[Payment]:
    """Payments of which the provider's word is missing for longer than that, oldest first."""
    until = clock.now() - older_than
    return list(Payment.objects.filter(open_since__lt=until).order_by("open_since")[:limit])


def open_refunds(*, older_than: timedelta, limit: int) -> list[Refund]:
    """Refunds the provider has not answered for longer than that, oldest first."""
    until = clock.now() - older_than
    found = Refund.objects.select_related("payment").filter(state=RefundState.OPEN, created_at__lt=until)
    return list(found.order_by("created_at")[:limit])


def compared_until() -> datetime | None:
    """Up to which moment of the provider's clock our books were compared; None before the first time."""
    return Comparison.objects.values_list("until", flat=True).first()
