"""I3: money moves once, as much as the order says, and only for confirmed orders, judged at the provider."""

from collections.abc import Iterator

from bandstand.chaos.audit.facts import Charge, Facts, Order, Payment
from bandstand.chaos.audit.invariants.violation import Violation

__all__ = ["books", "charged"]


def charged(facts: Facts) -> Iterator[Violation]:
    """I3: a confirmed order has exactly one capture of its total, any other none that was not given back."""
    for order in facts.orders:
        charges = facts.charges_of_order.get(order.order_id, [])
        captures = [charge for charge in charges if charge.captured > 0]
        if order.status == "confirmed":
            yield from _confirmed(order, captures)
        elif order.status in {"rejected", "cancelled"}:
            yield from _not_confirmed(order, charges)
        elif len(captures) > 1:
            yield _about(order, f"charged {len(captures)} times")
    for charge in facts.charges:
        if charge.captured > 0 and (charge.reference or "") not in facts.order_by_id:
            yield Violation(what=f"captured {charge.captured} for no order", subject=charge.key)


def _confirmed(order: Order, captures: list[Charge]) -> Iterator[Violation]:
    if len(captures) != 1:
        yield _about(order, f"the order is confirmed and was charged {len(captures)} times")
    for charge in captures:
        if (charge.captured, charge.currency) != (order.total_amount, order.currency):
            charged = f"{charge.captured} {charge.currency}"
            yield _about(order, f"charged {charged} for an order of {order.total_amount} {order.currency}")
        if charge.state != "captured":
            yield _about(order, f"the order is confirmed and its charge is {charge.state}")


def _not_confirmed(order: Order, charges: list[Charge]) -> Iterator[Violation]:
    kept = sum(charge.captured - charge.refunded for charge in charges)
    if kept:
        yield _about(order, f"the order is {order.status} and {kept} were kept")
    if any(charge.state == "pending" for charge in charges):
        yield _about(order, f"the order is {order.status} and a charge is still open")


def books(facts: Facts) -> Iterator[Violation]:
    """I3: what payments believes is what the provider did, staff refunds included."""
    charges = {charge.key: charge for charge in facts.charges}
    payments = {payment.key: payment for payment in facts.payments}
    for payment in facts.payments:
        yield from _payment(payment, charges.get(payment.key))
    for charge in facts.charges:
        if charge.captured > 0 and charge.key not in payments:
            what = f"the provider captured {charge.captured} under a key that payments does not know"
            yield Violation(what=what, subject=charge.key, order_id=charge.reference or "")


def _payment(payment: Payment, charge: Charge | None) -> Iterator[Violation]:
    at_provider = charge.state if charge else "absent"
    kept = (charge.captured - charge.refunded) if charge else 0
    if payment.state == "captured":
        expected = payment.amount - payment.refunded_amount
        agreed = at_provider == "captured" and kept == expected
    else:
        expected, agreed = 0, kept == 0 and at_provider != "pending"
    if not agreed:
        what = f"payments says {payment.state}, {expected} kept; the provider says {at_provider}, {kept} kept"
        yield Violation(what=what, subject=payment.key, order_id=payment.order_id or "")


def _about(order: Order, what: str) -> Violation:
    return Violation(what=what, subject=order.order_id, order_id=order.order_id)
