"""Facts the catalogue publishes."""

from dataclasses import dataclass
from uuid import UUID

from bandstand.events import Event

__all__ = ["Price", "ProductCreated", "ProductDescribed", "ProductRetired", "ProductUpdated"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """Minor units of an ISO 4217 currency."""

    amount: int
    currency: str


class ProductDescribed(Event):
    """What both facts below carry."""

    product_id: UUID
    sku: str
    name: str
    price: Price


class ProductCreated(ProductDescribed, name="products.product_created.v1", subject="product_id"):
    """A product can be sold from now on."""


class ProductUpdated(ProductDescribed, name="products.product_updated.v1", subject="product_id"):
    """A product's data is now this."""


class ProductRetired(Event, name="products.product_retired.v1", subject="product_id"):
    """A product is not sold any more."""

    product_id: UUID
