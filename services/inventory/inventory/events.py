"""Facts the inventory publishes."""

from uuid import UUID

from bandstand.events import Event

__all__ = ["StockChanged", "StockLow"]


class StockChanged(Event, name="inventory.stock_changed.v1", subject="product_id"):
    """The number of units that can be ordered is now `available`."""

    product_id: UUID
    available: int


class StockLow(Event, name="inventory.stock_low.v1", subject="product_id"):
    """The number of available units has just fallen to the threshold or below."""

    product_id: UUID
    available: int
