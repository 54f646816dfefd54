"""Writes of the orders service: one transaction, one decision, its events."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from bandstand import clock
from bandstand.errors import NotFound
from bandstand.events import publish
from orders import events, queries
from orders.errors import MixedCurrencies, OrderFinal, UnknownProduct
from orders.models import CatalogueProduct, Order, OrderHistory, OrderLine, Status


@dataclass(frozen=True, kw_only=True)
class WishedLine:
    """What the customer asks for; everything else about the line is the server's."""

    product_id: UUID
    quantity: int


@dataclass(frozen=True, kw_only=True)
class ProductNews:
    """The state of a product after the event *sequence* of the products service."""

    product_id: UUID
    sku: str
    name: str
    price_minor: int
    currency: str
    is_active: bool
    sequence: int


@transaction.atomic
def place_order(*, user_id: UUID, lines: Collection[WishedLine], payment_method: str, note: str = "") -> Order:
    """Accept an order at the prices of the catalogue replica; its saga begins in the same commit.

    Raises UnknownProduct and MixedCurrencies.
    """
    known = _sold([line.product_id for line in lines])
    priced = _priced(lines, known)
    order = Order(
        user_id=user_id,
        payment_method=payment_method,
        note=note,
        total_minor=sum(line.line_total_minor for line in priced),
        currency=_currency(known),
    )
    order.save(force_insert=True)
    for line in priced:
        line.order = order
    OrderLine.objects.bulk_create(priced)
    _remember(order, seq=1, detail="placed")
    publish(
        events.OrderPlaced(order_id=order.id, user_id=order.user_id, total=_total(order), lines=_event_lines(priced))
    )
    return order


@transaction.atomic
def confirm_order(*, order_id: UUID) -> None:
    """Move a pending order to confirmed; a confirmed one stays as it is. Raises OrderFinal for any other end."""
    order = _locked(order_id)
    if order.status == Status.CONFIRMED:
        return
    _end(order, status=Status.CONFIRMED, reason="")
    lines = list(order.lines.order_by("position"))
    publish(
        events.OrderConfirmed(order_id=order.id, user_id=order.user_id, total=_total(order), lines=_event_lines(lines))
    )


@transaction.atomic
def reject_order(*, order_id: UUID, reason: str) -> None:
    """Move a pending order to rejected; a rejected one stays as it is. Raises OrderFinal for any other end."""
    order = _locked(order_id)
    if order.status == Status.REJECTED:
        return
    _end(order, status=Status.REJECTED, reason=reason)
    publish(events.OrderRejected(order_id=order.id, user_id=order.user_id, reason=reason))


@transaction.atomic
def cancel_order(*, order_id: UUID, reason: str) -> None:
    """Move a pending order to cancelled; a cancelled one stays as it is. Raises OrderFinal for any other end."""
    order = _locked(order_id)
    if order.status == Status.CANCELLED:
        return
    _end(order, status=Status.CANCELLED, reason=reason)
    publish(events.OrderCancelled(order_id=order.id, user_id=order.user_id, reason=reason))


@transaction.atomic
def request_cancellation(*, order_id: UUID) -> Order:
    """Record the wish to cancel a pending order; its saga decides. Raises OrderFinal."""
    order = _locked(order_id)
    if order.is_final:
        raise OrderFinal
    _remember(order, seq=queries.last_seq(order.id) + 1, detail="cancellation requested")
    publish(events.OrderCancellationRequested(order_id=order.id))
    return order


@transaction.atomic
def learn_product(*, news: ProductNews) -> None:
    """Take over the state of a product unless something newer is known."""
    known = CatalogueProduct.objects.select_for_update().filter(product_id=news.product_id).first()
    if known is not None and known.sequence >= news.sequence:
        return
    CatalogueProduct.objects.update_or_create(
        product_id=news.product_id,
        defaults={
            "sku": news.sku,
            "name": news.name,
            "price_minor": news.price_minor,
            "currency": news.currency,
            "is_active": news.is_active,
            "sequence": news.sequence,
        },
    )


@transaction.atomic
def retire_product(*, product_id: UUID, sequence: int) -> None:
    """Take a product out of the replica of the catalogue unless something newer is known."""
    CatalogueProduct.objects.filter(product_id=product_id, sequence__lt=sequence).update(
        is_active=False, sequence=sequence
    )


def count_order(*, order_id: UUID, left: Status | None, entered: Status) -> None:
    """Move one order from a status to another in the statistics of the day it was placed, in one statement each."""
    moves = [(entered, 1)] if left is None else [(left, -1), (entered, 1)]
    day = "(created_at AT TIME ZONE 'UTC')::date" if connection.vendor == "postgresql" else "date(created_at)"
    key = Order._meta.pk.get_db_prep_value(order_id, connection)  # noqa: SLF001 - Django's documented model API
    with transaction.atomic(), connection.cursor() as cursor:
        for status, sign in moves:
            cursor.execute(_COUNT.format(day=day), [status, sign, sign, key])


# Ten queries of the ORM an order were a quarter of this service's CPU under load.
_COUNT = """
INSERT INTO orders_dailystatistic (day, status, currency, count, total_minor)
SELECT {day}, %s, currency, %s, %s * total_minor FROM orders_order WHERE id = %s
ON CONFLICT (day, status, currency) DO UPDATE
SET count = orders_dailystatistic.count + excluded.count,
    total_minor = orders_dailystatistic.total_minor + excluded.total_minor
"""


def _sold(product_ids: Collection[UUID]) -> dict[UUID, CatalogueProduct]:
    known = {key: product for key, product in queries.catalogue(product_ids).items() if product.is_active}
    missing = [str(product_id) for product_id in product_ids if product_id not in known]
    if missing:
        raise UnknownProduct("Some products are not in the catalogue.", product_ids=missing)
    return known


def _priced(lines: Collection[WishedLine], known: Mapping[UUID, CatalogueProduct]) -> list[OrderLine]:
    return [
        OrderLine(
            position=position,
            product_id=line.product_id,
            sku=known[line.product_id].sku,
            name=known[line.product_id].name,
            quantity=line.quantity,
            unit_price_minor=known[line.product_id].price_minor,
        )
        for position, line in enumerate(lines, start=1)
    ]


def _currency(known: Mapping[UUID, CatalogueProduct]) -> str:
    currencies = {product.currency for product in known.values()}
    if len(currencies) != 1:
        raise MixedCurrencies("One order has one currency.", currencies=sorted(currencies))
    return currencies.pop()


def _locked(order_id: UUID) -> Order:
    order = Order.objects.select_for_update().filter(pk=order_id).first()
    if order is None:
        raise NotFound
    return order


def _end(order: Order, *, status: Status, reason: str) -> None:
    if order.is_final:
        raise OrderFinal(f"The order is {order.status}.")
    order.status, order.reason, order.updated_at = status, reason, clock.now()
    order.save(update_fields=["status", "reason", "updated_at"])
    _remember(order, seq=queries.last_seq(order.id) + 1, detail=reason)


def _remember(order: Order, *, seq: int, detail: str) -> None:
    OrderHistory.objects.create(order=order, seq=seq, status=order.status, detail=detail, at=order.updated_at)


def _total(order: Order) -> events.Total:
    return events.Total(amount=order.total_minor, currency=order.currency)


def _event_lines(lines: Collection[OrderLine]) -> list[events.Line]:
    return [
        events.Line(product_id=line.product_id, sku=line.sku, quantity=line.quantity, unit_price=line.unit_price_minor)
        for line in lines
    ]
