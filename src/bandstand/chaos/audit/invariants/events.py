"""I4: each event is applied exactly once and tells what happened. I5: in order. I10: dead letters as expected."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from bandstand.chaos.audit.facts import DeadLetter, Facts, InboxRow, OutboxRow
from bandstand.chaos.audit.invariants.violation import Violation

__all__ = ["applied_once", "dead_letters", "in_order", "told"]

# Delivered events are kept for 24 h; whatever is older can have lost its counterpart.
_RETENTION = timedelta(hours=23)
_FACT_OF_STATUS = {
    "confirmed": "orders.order_confirmed.v1",
    "rejected": "orders.order_rejected.v1",
    "cancelled": "orders.order_cancelled.v1",
}


def applied_once(facts: Facts) -> Iterator[Violation]:
    """I4: every consumer has applied each committed event of its types once, and nothing that was never committed."""
    published = {row.event_id: row for rows in facts.outbox.values() for row in rows}
    inbox: dict[str, Counter[str]] = defaultdict(Counter)
    for row in _inbox(facts):
        inbox[row.consumer][row.event_id] += 1
        if row.event_id not in published and _is_recent(facts, row.applied_at):
            yield Violation(what=f"{row.consumer} applied an event that nobody committed", subject=row.event_id)
    for consumer, types in facts.consumers.items():
        wanted = {event_id for event_id, row in published.items() if row.type in types}
        yield from _missing(facts, consumer, [published[each] for each in sorted(wanted - inbox[consumer].keys())])
    repeated = ((consumer, *each) for consumer, counts in inbox.items() for each in counts.items() if each[1] > 1)
    for consumer, event_id, count in repeated:
        yield Violation(what=f"{consumer} applied an event {count} times", subject=event_id)
    for event in published.values():
        if event.state == "dead":
            yield Violation(what=f"{event.type} could never be delivered", subject=event.event_id)


def _missing(facts: Facts, consumer: str, rows: list[OutboxRow]) -> Iterator[Violation]:
    set_aside = {letter.event_id for letter in _letters(facts) if letter.consumer == consumer}
    for row in rows:
        if row.event_id not in set_aside:
            what = f"{consumer} has not applied {row.type} of {row.subject}"
            yield Violation(what=what, subject=row.event_id, order_id=row.subject)


def told(facts: Facts) -> Iterator[Violation]:
    """I4: each order and capture has its event, and each such event its order."""
    by_type: dict[str, Counter[str]] = defaultdict(Counter)
    for rows in facts.outbox.values():
        for row in rows:
            by_type[row.type][row.subject] += 1
    recent = [order for order in facts.orders if _is_recent(facts, order.created_at)]
    for order in recent:
        for kind in filter(None, ("orders.order_placed.v1", _FACT_OF_STATUS.get(order.status))):
            if by_type[kind][order.order_id] != 1:
                what = f"{kind} was committed {by_type[kind][order.order_id]} times for an order that is {order.status}"
                yield Violation(what=what, subject=order.order_id, order_id=order.order_id)
    for kind in ("orders.order_placed.v1", *_FACT_OF_STATUS.values()):
        for subject in by_type[kind].keys() - facts.order_by_id.keys():
            yield Violation(what=f"{kind} tells of an order that does not exist", subject=subject, order_id=subject)
    yield from _captures_told(facts, by_type["payments.payment_captured.v1"], {order.order_id for order in recent})


def _captures_told(facts: Facts, captured: Counter[str], recent: set[str]) -> Iterator[Violation]:
    for payment in facts.payments:
        told = captured[payment.key] + captured[payment.order_id or ""]
        if payment.state == "captured" and payment.order_id in recent and told != 1:
            what = f"payments.payment_captured.v1 was committed {told} times"
            yield Violation(what=what, subject=payment.key, order_id=payment.order_id or "")


def in_order(facts: Facts) -> Iterator[Violation]:
    """I5: per consumer and aggregate, sequence numbers strictly increase; dead letters let others pass, and say so."""
    published = {row.event_id: (service, row) for service, rows in facts.outbox.items() for row in rows}
    set_aside = {(letter.consumer, letter.event_id) for letter in _letters(facts)}
    applied: dict[tuple[str, str, str], list[tuple[str, OutboxRow]]] = defaultdict(list)
    for entry in _inbox(facts):
        if entry.event_id in published and (entry.consumer, entry.event_id) not in set_aside:
            service, row = published[entry.event_id]
            applied[entry.consumer, service, row.subject].append((entry.applied_at, row))
    for (consumer, _, subject), entries in applied.items():
        yield from _sequence(consumer, subject, entries)


def _sequence(consumer: str, subject: str, entries: list[tuple[str, OutboxRow]]) -> Iterator[Violation]:
    entries.sort(key=lambda entry: (datetime.fromisoformat(entry[0]), entry[1].sequence))
    for (_, before), (_, row) in pairwise(entries):
        if row.sequence <= before.sequence:
            what = f"{consumer} applied sequence {row.sequence} after {before.sequence}"
            yield Violation(what=what, subject=subject, order_id=subject)


def dead_letters(facts: Facts) -> Iterator[Violation]:
    """I10: as many dead letters as expected, each once, with its reason and attempts."""
    dead = [letter for letter in _letters(facts) if letter.state == "dead"]
    if len(dead) != facts.expected_dead:
        named = ", ".join(f"{letter.consumer} {letter.event_id}" for letter in dead) or "none"
        yield Violation(what=f"{len(dead)} dead letters, {facts.expected_dead} expected", subject=named)
    counts = Counter((letter.consumer, letter.event_id) for letter in dead)
    for letter in dead:
        if counts[letter.consumer, letter.event_id] > 1:
            yield Violation(what="the same event is set aside more than once", subject=letter.event_id)
        if not letter.reason or letter.attempts < 1:
            yield Violation(what="a dead letter without reason or attempts", subject=letter.event_id)


def _inbox(facts: Facts) -> Iterator[InboxRow]:
    return (row for rows in facts.inbox.values() for row in rows)


def _letters(facts: Facts) -> Iterator[DeadLetter]:
    return (letter for letters in facts.dead_letters.values() for letter in letters)


def _is_recent(facts: Facts, moment: str) -> bool:
    return datetime.fromisoformat(moment) > facts.at - _RETENTION
