"""What the inventory can tell without changing anything."""

from datetime import datetime
from uuid import UUID

from bandstand.database.statements import Statement
from inventory.errors import ReservationNotFound, StockNotFound
from inventory.models import Line, Reservation, ReservationLine, ReservationState, Stock

__all__ = ["due_reservations", "lines_of", "reservation_of", "stock_of"]

_LINES = Statement(ReservationLine, "SELECT {columns} FROM {table} WHERE reservation_id = %s")


def stock_of(product_id: UUID) -> Stock:
    """The stock row of a product. Raises StockNotFound."""
    stock = Stock.objects.filter(pk=product_id).first()
    if stock is None:
        raise StockNotFound
    return stock


def reservation_of(key: str) -> Reservation:
    """The reservation of a key. Raises ReservationNotFound."""
    reservation: Reservation | None = Reservation.objects.filter(pk=key).first()
    if reservation is None:
        raise ReservationNotFound
    return reservation


def lines_of(key: str) -> list[Line]:
    """What the reservation of a key holds, held, or sold; nothing for a tombstone."""
    return [Line(product_id=line.product_id, quantity=line.quantity) for line in _LINES.all(key)]


def due_reservations(*, at: datetime, limit: int) -> list[str]:
    """The keys of up to *limit* held reservations that have expired *at* that moment, oldest first."""
    due = Reservation.objects.filter(state=ReservationState.HELD, expires_at__lte=at)
    return list(due.order_by("expires_at").values_list("key", flat=True)[:limit])
