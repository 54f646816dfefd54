"""I1: no unit appears or vanishes. I7: no unit is held for nobody."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from bandstand.chaos.audit.facts import FINAL_ORDER, FINAL_SAGA, Facts, Reservation, Stock
from bandstand.chaos.audit.invariants.violation import Violation

__all__ = ["conserved", "orphans"]

_GRACE = timedelta(seconds=60)


def conserved(facts: Facts) -> Iterator[Violation]:
    """I1: initial + restocked = available + held + sold, nothing negative, and the reservations say the same."""
    held: dict[str, int] = defaultdict(int)
    sold: dict[str, int] = defaultdict(int)
    for line in facts.reservations:
        if line.product_id and line.state in {"held", "committed"}:
            (held if line.state == "held" else sold)[line.product_id] += line.quantity
    for row in facts.stock:
        yield from _row(row, held=held[row.product_id], sold=sold[row.product_id])
    for product_id in sorted((held.keys() | sold.keys()) - {row.product_id for row in facts.stock}):
        yield Violation(what="reserved units of a product without a stock row", subject=product_id)


def _row(row: Stock, *, held: int, sold: int) -> Iterator[Violation]:
    if row.initial + row.restocked != row.available + row.held + row.sold:
        equation = f"{row.initial} + {row.restocked} is not {row.available} + {row.held} + {row.sold}"
        yield Violation(what=f"units appeared or vanished: {equation}", subject=row.sku)
    if min(row.available, row.held, row.sold) < 0:
        yield Violation(what=f"oversold: available {row.available}, held {row.held}", subject=row.sku)
    if row.held != held:
        yield Violation(what=f"{row.held} units are held, the reservations hold {held}", subject=row.sku)
    if row.sold != sold:
        yield Violation(what=f"{row.sold} units are sold, the reservations committed {sold}", subject=row.sku)


def orphans(facts: Facts) -> Iterator[Violation]:
    """I7: nothing is held for an order that ended or does not exist, nor past its expiry unless its saga lives."""
    for line in facts.reservations:
        if line.state == "held":
            yield from _held(facts, line)


def _held(facts: Facts, line: Reservation) -> Iterator[Violation]:
    order_id = line.order_id or ""
    order, saga = facts.order_by_id.get(order_id), facts.saga_of_order.get(order_id)
    if order is None:
        yield Violation(what="units are held for no order", subject=line.key, order_id=order_id)
    elif order.status in FINAL_ORDER:
        yield Violation(what=f"units are held for an order that is {order.status}", subject=line.key, order_id=order_id)
    lives = saga is not None and saga.state not in FINAL_SAGA
    expired = line.expires_at and datetime.fromisoformat(line.expires_at) + _GRACE < facts.at
    if expired and not lives:
        yield Violation(what=f"units are held past {line.expires_at}", subject=line.key, order_id=order_id)
