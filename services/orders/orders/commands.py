"""Writes of the orders service: one transaction, one decision, its events."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from bandstand import clock
from bandstand.database.statements import Statement, insert, update
from bandstand.errors import NotFound
from bandstand.events import publish
from orders import events
from orders.errors import MixedCurrencies, OrderFinal, TotalTooLarge, UnknownProduct
from orders.models import CatalogueProduct, Order, OrderHistory, OrderLine, Status

_LARGEST_TOTAL = 2**53
_WISH = "cancellation requested"


@dataclass(frozen=True, kw_only=True)
class WishedLine:
    """What the customer asks for; everything else about the line is the server's."""

    product_id: UUID
    quantity: int


# No savepoint within the transaction of the answer: two statements that would protect nothing.
@transaction.atomic(savepoint=False)
def place_order(
    *,
    user_id: UUID,
    lines: Collection[WishedLine],
    catalogue: Mapping[UUID, CatalogueProduct],
    payment_method: str,
    note: str = "",
) -> Order:
    """Accept an order at the prices of *catalogue*, as it was read just now; its saga begins in the same commit.

    Raises UnknownProduct, MixedCurrencies and TotalTooLarge.
    """
    priced, now = _priced(lines, _sold(lines, catalogue)), clock.now()
    order = Order(
        user_id=user_id,
        payment_method=payment_method,
        note=note,
        total_minor=sum(line.line_total_minor for line in priced),
        currency=priced[0].currency,
        created_at=now,
        updated_at=now,
    )
    if order.total_minor > _LARGEST_TOTAL:
        raise TotalTooLarge
    for line in priced:
        line.order = order
    insert([order])
    insert(priced)
    order.priced_lines, order.told = priced, [_remember(order, detail="placed")]
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
    lines = _LINES.all(order_id)
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
    """Record the wish to cancel a pending order; its saga decides. Wishing twice is wishing once. Raises OrderFinal."""
    order = _locked(order_id)
    if order.is_final:
        raise OrderFinal
    if not order.history.filter(detail=_WISH).exists():
        _change(order)
        _remember(order, detail=_WISH)
        publish(events.OrderCancellationRequested(order_id=order.id))
    return order


def count_order(*, order_id: UUID, left: Status | None, entered: Status) -> None:
    """Move one order from a status to another in the statistics of the day it was placed, in one statement each."""
    moves = [(entered, 1)] if left is None else [(left, -1), (entered, 1)]
    day = "(created_at AT TIME ZONE 'UTC')::date" if connection.vendor == "postgresql" else "date(created_at)"
    key = Order._meta.pk.get_db_prep_value(order_id, connection)  # noqa: SLF001 - Django's documented model API
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
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


def _sold(lines: Collection[WishedLine], catalogue: Mapping[UUID, CatalogueProduct]) -> Mapping[UUID, CatalogueProduct]:
    wished = {line.product_id: catalogue.get(line.product_id) for line in lines}
    sold = {key: product for key, product in wished.items() if product is not None}
    missing = [str(product_id) for product_id in wished if product_id not in sold]
    if missing:
        raise UnknownProduct("Some products are not in the catalogue.", product_ids=missing)
    currencies = {product.currency for product in sold.values()}
    if len(currencies) > 1:
        raise MixedCurrencies("One order has one currency.", currencies=sorted(currencies))
    return sold


def _priced(lines: Collection[WishedLine], sold: Mapping[UUID, CatalogueProduct]) -> list[OrderLine]:
    priced = []
    for position, line in enumerate(lines, start=1):
        product = sold[line.product_id]
        priced.append(
            OrderLine(
                position=position,
                product_id=line.product_id,
                sku=product.sku,
                name=product.name,
                quantity=line.quantity,
                unit_price_minor=product.price_minor,
            )
        )
        priced[-1].currency = product.currency
    return priced


_LOCKED = Statement(Order, "SELECT {columns} FROM {table} WHERE id = %s {lock}")
_LINES = Statement(OrderLine, "SELECT {columns} FROM {table} WHERE order_id = %s ORDER BY position")


def _locked(order_id: UUID) -> Order:
    order = _LOCKED.first(order_id)
    if order is None:
        raise NotFound
    return order


def _end(order: Order, *, status: Status, reason: str) -> None:
    if order.is_final:
        raise OrderFinal(f"The order is {order.status}.")
    order.status, order.reason = status, reason
    _change(order)
    _remember(order, detail=reason)


def _change(order: Order) -> None:
    order.revision, order.updated_at = order.revision + 1, clock.now()
    update(order, ["status", "reason", "revision", "updated_at"])


def _remember(order: Order, *, detail: str) -> OrderHistory:
    entry = OrderHistory(order=order, seq=order.revision, status=order.status, detail=detail, at=order.updated_at)
    insert([entry])
    return entry


def _total(order: Order) -> events.Total:
    return events.Total(amount=order.total_minor, currency=order.currency)


def _event_lines(lines: Collection[OrderLine]) -> list[events.Line]:
    return [
        events.Line(product_id=line.product_id, sku=line.sku, quantity=line.quantity, unit_price=line.unit_price_minor)
        for line in lines
    ]
