"""I9: each read model is what its events say."""

from collections import defaultdict
from collections.abc import Iterator

from bandstand.chaos.audit.facts import CatalogueEntry, Facts
from bandstand.chaos.audit.invariants.violation import Violation

__all__ = ["availability", "catalogue", "statistics"]


def availability(facts: Facts) -> Iterator[Violation]:
    """I9: what products shows as available is what inventory has; before the first event it shows nothing."""
    replica = {row.product_id: row.available for row in facts.availability}
    for row in facts.stock:
        shown = replica.get(row.product_id)
        if shown != row.available and not (shown is None and row.available == 0):
            what = f"inventory has {row.available} available, products shows {shown}"
            yield Violation(what=what, subject=row.sku)
    known = {row.product_id for row in facts.stock}
    for product_id, shown in replica.items():
        if shown is not None and product_id not in known:
            yield Violation(
                what=f"products shows {shown} available of what inventory does not have", subject=product_id
            )


def statistics(facts: Facts) -> Iterator[Violation]:
    """I9: the statistics are the fold of the orders by day of placing and status."""
    fold: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for order in facts.orders:
        count, total = fold[order.created_at[:10], order.status]
        fold[order.created_at[:10], order.status] = count + 1, total + order.total_amount
    live: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in facts.statistics:  # one row a currency
        count, total = live[row.day[:10], row.status]
        live[row.day[:10], row.status] = count + row.count, total + row.total_amount
    for each in sorted(fold.keys() | live.keys()):
        if fold[each] != live[each]:
            (count, total), (shown, shown_total) = fold[each], live[each]
            what = f"{count} orders of {total} in all, the statistics show {shown} of {shown_total}"
            yield Violation(what=what, subject=" ".join(each))


def catalogue(facts: Facts) -> Iterator[Violation]:
    """I9: the catalogue that orders prices from is that of products, without what is sold no longer."""
    truth = {row.product_id: row for row in facts.catalogue}
    replica = {row.product_id: row for row in facts.catalogue_replica}
    for product_id in sorted(truth.keys() | replica.keys()):
        if _sold(truth.get(product_id)) != _sold(replica.get(product_id)):
            what = f"products has {_shown(truth, product_id)}, orders has {_shown(replica, product_id)}"
            yield Violation(what=what, subject=product_id)


def _sold(row: CatalogueEntry | None) -> CatalogueEntry | None:
    return row if row is not None and row.is_active else None


def _shown(rows: dict[str, CatalogueEntry], product_id: str) -> str:
    row = rows.get(product_id)
    if row is None:
        return "nothing"
    return f"{row.sku} at {row.amount} {row.currency}, {'active' if row.is_active else 'retired'}"
