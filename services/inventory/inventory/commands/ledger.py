"""The one way units move: the stock row, its ledger line and its events, in the caller's transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from bandstand.database.statements import insert
from bandstand.errors import ServiceError
from bandstand.events import publish
from inventory.config import inventory_config
from inventory.errors import InsufficientStock, StockNotFound
from inventory.events import StockChanged, StockLow
from inventory.models import Kind, Line, Movement, Stock

__all__ = ["Cause", "move_units"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """Why units move, as the ledger keeps it."""

    reason: str = ""
    reservation_key: str = ""
    actor: str = ""
    marker: str | None = None


def move_units(kind: Kind, lines: Iterable[Line], *, cause: Cause) -> None:
    """Move all *lines* or none. Raises InsufficientStock or, for a product without stock row, StockNotFound.

    The caller's transaction must not be committed after an error. Rows are locked in the order of their product ids,
    whoever comes: two orders for the same products never wait for each other.
    """
    movements = []
    for line in sorted(lines):
        delta = kind.delta(line.quantity)
        available = Stock.objects.move(line.product_id, delta)
        if available is None:
            raise _refusal(kind, line)
        if delta.available:
            _announce(line.product_id, available, before=available - delta.available)
        movements.append(
            Movement(
                product_id=line.product_id,
                kind=kind,
                available=delta.available,
                held=delta.held,
                sold=delta.sold,
                reason=cause.reason,
                reservation_key=cause.reservation_key,
                marker=cause.marker,
                actor=cause.actor,
            )
        )
    insert(movements)


def _announce(product_id: UUID, available: int, *, before: int) -> None:
    publish(StockChanged(product_id=product_id, available=available))
    if available <= inventory_config().low_stock < before:
        publish(StockLow(product_id=product_id, available=available))


def _refusal(kind: Kind, line: Line) -> ServiceError:
    available = Stock.objects.filter(pk=line.product_id).values_list("available", flat=True).first()
    if available is None and kind is Kind.RESTOCK:
        return StockNotFound()
    # An order may know a product before its stock row is made: to it, nothing is available.
    left, asked = available or 0, abs(line.quantity)
    return InsufficientStock(
        f"{left} of {asked} units are available.", product_id=str(line.product_id), available=left, requested=asked
    )
