"""Reads of the orders service."""

from collections.abc import Collection
from functools import cache
from uuid import UUID

from django.db.models import Prefetch, QuerySet

from bandstand.database.statements import Statement
from orders.models import CatalogueProduct, DailyStatistic, Order, OrderHistory, OrderLine

_ORDER = Statement(Order, "SELECT {columns} FROM {table} WHERE id = %s")


def orders(*, of_user: UUID | None = None, status: str | None = None) -> "QuerySet[Order]":
    """All orders newest first, or those of one user, of one status; lines and history come in two further queries."""
    found = Order.objects.prefetch_related(
        Prefetch("lines", queryset=OrderLine.objects.order_by("position")),
        Prefetch("history", queryset=OrderHistory.objects.order_by("seq")),
    )
    if of_user is not None:
        found = found.filter(user_id=of_user)
    return found if status is None else found.filter(status=status)


def order(order_id: UUID) -> Order:
    """One order without lines and history. Raises Order.DoesNotExist."""
    found = _ORDER.first(order_id)
    if found is None:
        raise Order.DoesNotExist
    return found


def catalogue(product_ids: Collection[UUID]) -> dict[UUID, CatalogueProduct]:
    """The known products among *product_ids*; retired ones are not."""
    if not product_ids:
        return {}
    return {product.product_id: product for product in _products(len(product_ids)).all(*product_ids)}


@cache
def _products(count: int) -> Statement[CatalogueProduct]:
    places = ", ".join(["%s"] * count)
    return Statement(CatalogueProduct, f"SELECT {{columns}} FROM {{table}} WHERE product_id IN ({places})")  # noqa: S608 - placeholders only


def statistics() -> "QuerySet[DailyStatistic]":
    """Days with orders, newest first, one row for each status that occurs."""
    return DailyStatistic.objects.filter(count__gt=0)
