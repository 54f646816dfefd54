"""What orders learns from others, and what it counts of its own."""

from dataclasses import dataclass
from uuid import UUID

from bandstand.events import Envelope, Event, consumer
from orders import commands
from orders.events import OrderCancelled, OrderConfirmed, OrderPlaced, OrderRejected
from orders.models import Status


@dataclass(frozen=True, kw_only=True)
class Price:
    """Money: integer minor units and their currency."""

    amount: int
    currency: str


class ProductState(Event):
    """The fields of a product that a price needs."""

    product_id: UUID
    sku: str
    name: str
    price: Price


class ProductCreated(ProductState, name="products.product_created.v1"):
    """A product is in the catalogue."""


class ProductUpdated(ProductState, name="products.product_updated.v1"):
    """A product has changed."""


class ProductRetired(Event, name="products.product_retired.v1"):
    """A product is sold no longer."""

    product_id: UUID


@consumer(ProductCreated, reset=commands.empty_catalogue)
def learn_created_product(event: ProductCreated, envelope: Envelope) -> None:
    """Add the product to the replica of the catalogue."""
    _learn(event, envelope)


@consumer(ProductUpdated, reset=commands.empty_catalogue)
def learn_updated_product(event: ProductUpdated, envelope: Envelope) -> None:
    """Change the product in the replica of the catalogue."""
    _learn(event, envelope)


@consumer(ProductRetired, reset=commands.empty_catalogue)
def forget_retired_product(event: ProductRetired, envelope: Envelope) -> None:
    """Sell the product no longer."""
    commands.retire_product(product_id=event.product_id, sequence=envelope.sequence)


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


def _learn(event: ProductState, envelope: Envelope) -> None:
    commands.learn_product(
        news=commands.ProductNews(
            product_id=event.product_id,
            sku=event.sku,
            name=event.name,
            price_minor=event.price.amount,
            currency=event.price.currency,
            is_active=True,
            sequence=envelope.sequence,
        )
    )
