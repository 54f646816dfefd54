"""What moves the catalogue from outside: inventory's events."""

from uuid import UUID

from bandstand.events import Envelope, Event, consumer
from products.commands import record_availability

__all__ = ["StockChanged", "follow_stock"]


class StockChanged(Event, name="inventory.stock_changed.v1"):
    """What the catalogue reads of a change of stock."""

    product_id: UUID
    available: int


@consumer(StockChanged)
def follow_stock(event: StockChanged, envelope: Envelope) -> None:
    """Keep the replica of availability."""
    record_availability(product_id=event.product_id, available=event.available, sequence=envelope.sequence)
