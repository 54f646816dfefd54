"""The facts orders publishes."""

from dataclasses import dataclass
from uuid import UUID

from bandstand.events import Event


@dataclass(frozen=True, kw_only=True)
class Total:
    """Money: integer minor units and their currency."""

    amount: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """How many of a product at which price each, in minor units."""

    product_id: UUID
    sku: str
    quantity: int
    unit_price: int


class OrderPlaced(Event, name="orders.order_placed.v1", subject="order_id"):
    """An order was accepted and waits to be processed."""

    order_id: UUID
    user_id: UUID
    total: Total
    lines: list[Line]


class OrderConfirmed(Event, name="orders.order_confirmed.v1", subject="order_id"):
    """An order is paid and its stock is sold."""

    order_id: UUID
    user_id: UUID
    total: Total
    lines: list[Line]


class OrderRejected(Event, name="orders.order_rejected.v1", subject="order_id"):
    """An order cannot be fulfilled; nothing is held and nothing is charged."""

    order_id: UUID
    user_id: UUID
    reason: str


class OrderCancelled(Event, name="orders.order_cancelled.v1", subject="order_id"):
    """An order was called off, by its owner or by its deadline; nothing is held and nothing is charged."""

    order_id: UUID
    user_id: UUID
    reason: str


class OrderCancellationRequested(Event, name="orders.order_cancellation_requested.v1", subject="order_id"):
    """The owner wishes to cancel; the order may still end confirmed."""

    order_id: UUID
