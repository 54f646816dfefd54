"""One order's story, merged from everybody who has a part in it."""

from collections.abc import Iterator

from bandstand.chaos.audit.facts import Facts

__all__ = ["timeline"]


def timeline(facts: Facts, order_id: str) -> list[str]:
    """What is known of an order, by time; what has no time comes last."""
    return [f"{moment or '-':<27} {text}" for moment, text in sorted(_moments(facts, order_id), key=_by_time)]


def _by_time(entry: tuple[str, str]) -> tuple[bool, str]:
    return not entry[0], entry[0]


def _moments(facts: Facts, order_id: str) -> Iterator[tuple[str, str]]:
    for entry in facts.history_of_order.get(order_id, []):
        yield entry.at, f"order        {entry.status}"
    yield from _saga(facts, order_id)
    for charge in facts.charges_of_order.get(order_id, []):
        sums = f"captured {charge.captured}, refunded {charge.refunded}"
        yield charge.updated_at, f"provider     {charge.state}, {sums} {charge.currency}, key {charge.key}"
    events = [(service, row) for service, rows in facts.outbox.items() for row in rows]
    for service, row in events:
        if row.subject == order_id:
            yield row.created_at, f"event        {row.type} by {service}, {row.state}"
    yield from _held(facts, order_id)


def _held(facts: Facts, order_id: str) -> Iterator[tuple[str, str]]:
    for payment in facts.payments:
        if payment.order_id == order_id:
            yield "", f"payments     {payment.state}, {payment.amount}, refunded {payment.refunded_amount}"
    for line in facts.reservations:
        if line.order_id == order_id:
            yield "", f"inventory    {line.state} {line.quantity} of {line.product_id}, expires {line.expires_at}"


def _saga(facts: Facts, order_id: str) -> Iterator[tuple[str, str]]:
    saga = facts.saga_of_order.get(order_id)
    if saga is None:
        return
    yield saga.updated_at, f"saga         {saga.state} at {saga.step}, epoch {saga.epoch}"
    for step in facts.steps_of_saga.get(saga.saga_id, []):
        yield step.at, f"saga step    {step.step} {step.direction} #{step.attempt} {step.outcome}"
