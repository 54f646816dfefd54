"""Stock rows: opened when a product is created, adjusted by staff."""

from uuid import UUID

from django.db import transaction

from bandstand.database.statements import insert_absent
from bandstand.events import publish
from inventory.commands.ledger import Cause, move_units
from inventory.events import StockChanged
from inventory.models import Kind, Line, Movement, Stock
from inventory.queries import stock_of

__all__ = ["adjust_stock", "open_stock", "rename_stock"]


@transaction.atomic
def open_stock(*, product_id: UUID, sku: str) -> bool:
    """Make the empty stock row of a product unless it exists; say whether it was made."""
    opened = insert_absent(Stock(product_id=product_id, sku=sku))
    if opened:
        publish(StockChanged(product_id=product_id, available=0))
    return opened


@transaction.atomic
def rename_stock(*, product_id: UUID, sku: str) -> None:
    """Follow a product's SKU, opening its stock row should it be missing."""
    if not open_stock(product_id=product_id, sku=sku):
        Stock.objects.filter(pk=product_id).exclude(sku=sku).update(sku=sku)


@transaction.atomic
def adjust_stock(*, product_id: UUID, delta: int, reason: str, actor: str = "", marker: str | None = None) -> Stock:
    """Add *delta* units (of either sign) to what is available and give the row after it.

    With a *marker* it happens once for good: a repeat changes nothing. Raises StockNotFound, InsufficientStock.
    """
    if marker is None or not Movement.objects.filter(marker=marker).exists():
        cause = Cause(reason=reason, actor=actor, marker=marker)
        move_units(Kind.RESTOCK, [Line(product_id=product_id, quantity=delta)], cause=cause)
    return stock_of(product_id)
