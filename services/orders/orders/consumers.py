"""What orders counts of its own events."""

from bandstand.events import Envelope, consumer
from orders import commands
from orders.events import OrderCancelled, OrderConfirmed, OrderPlaced, OrderRejected
from orders.models import Status


@consumer(OrderPlaced)
def count_placed(event: OrderPlaced, _: Envelope) -> None:
    """Count the order as pending."""
    commands.count_order(order_id=event.order_id, left=None, entered=Status.PENDING)


@consumer(OrderConfirmed)
def count_confirmed(event: OrderConfirmed, _: Envelope) -> None:
    """Count the order as confirmed."""
    commands.count_order(order_id=event.order_id, left=Status.PENDING, entered=Status.CONFIRMED)


@consumer(OrderRejected)
def count_rejected(event: OrderRejected, _: Envelope) -> None:
    """Count the order as rejected."""
    commands.count_order(order_id=event.order_id, left=Status.PENDING, entered=Status.REJECTED)


@consumer(OrderCancelled)
def count_cancelled(event: OrderCancelled, _: Envelope) -> None:
    """Count the order as cancelled."""
    commands.count_order(order_id=event.order_id, left=Status.PENDING, entered=Status.CANCELLED)
