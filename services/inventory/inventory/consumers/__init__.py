"""What moves the inventory from outside requests: products' events, and time."""

from uuid import UUID

from bandstand.events import Envelope, Event, consumer
from bandstand.lifecycle import register_loop
from inventory.commands import open_stock, rename_stock
from inventory.consumers.expiry import ExpiryLoop

__all__ = ["ExpiryLoop", "ProductCreated", "ProductUpdated", "keep_sku", "keep_stock_of"]


class ProductCreated(Event, name="products.product_created.v1"):
    """What the inventory reads of a new product."""

    product_id: UUID
    sku: str


class ProductUpdated(Event, name="products.product_updated.v1"):
    """What the inventory reads of a changed product."""

    product_id: UUID
    sku: str


@consumer(ProductCreated)
def keep_stock_of(event: ProductCreated, envelope: Envelope) -> None:  # noqa: ARG001 - the shape of a consumer
    """Open the stock row of a new product."""
    open_stock(product_id=event.product_id, sku=event.sku)


@consumer(ProductUpdated)
def keep_sku(event: ProductUpdated, envelope: Envelope) -> None:  # noqa: ARG001
    """Follow a product's SKU."""
    rename_stock(product_id=event.product_id, sku=event.sku)


register_loop("expiry", ExpiryLoop)
