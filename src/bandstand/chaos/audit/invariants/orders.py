"""I2: every order ends, and what has ended never changes. I8: what a client was promised is there."""

from collections import defaultdict
from collections.abc import Iterator

from bandstand.chaos.audit.facts import FINAL_ORDER, Facts, HistoryEntry, JournalEntry, Order
from bandstand.chaos.audit.invariants.violation import Violation
from bandstand.clock import rfc3339

__all__ = ["acknowledged", "terminal"]

# Answers after which the client knows that its key made no order.
_REFUSED = frozenset({400, 401, 403, 404, 405, 406, 411, 413, 415, 422})


def terminal(facts: Facts) -> Iterator[Violation]:
    """I2: each order stands in a final status, and its history leads there in one step."""
    for order in facts.orders:
        if order.status not in FINAL_ORDER:
            yield _about(order, f"the order is still {order.status}")
        yield from _history(order, facts.history_of_order.get(order.order_id, []))
    for order_id in facts.history_of_order.keys() - facts.order_by_id.keys():
        yield Violation(what="history of an order that does not exist", subject=order_id, order_id=order_id)


def _history(order: Order, entries: list[HistoryEntry]) -> Iterator[Violation]:
    statuses = [entry.status for entry in entries]
    if not entries or statuses[0] != "pending":
        yield _about(order, "the history does not begin with pending")
    if len({entry.seq for entry in entries}) < len(entries):
        yield _about(order, "a sequence number comes twice in the history")
    if entries and statuses[-1] != order.status:
        yield _about(order, f"the order is {order.status}, its history ends with {statuses[-1]}")
    final = next((index for index, status in enumerate(statuses) if status in FINAL_ORDER), len(statuses))
    for status in statuses[final + 1 :]:
        if status != statuses[final]:
            yield _about(order, f"the order was {statuses[final]} and became {status}")


def acknowledged(facts: Facts) -> Iterator[Violation]:
    """I8: each acknowledged order exists, a key has at most one order, and nobody got an order nobody asked for."""
    promises = {(entry.key, entry.order_id) for entry in facts.journal if _is_promise(entry)}
    orders_of_key: dict[str, set[str]] = defaultdict(set)
    keys_of_order: dict[str, set[str]] = defaultdict(set)
    for key, order_id in promises:
        orders_of_key[key].add(order_id)
        keys_of_order[order_id].add(key)
    for order_id in sorted(keys_of_order.keys() - facts.order_by_id.keys()):
        yield Violation(what="an acknowledged order does not exist", subject=order_id, order_id=order_id)
    for key, orders in _several(orders_of_key):
        yield Violation(what=f"one key was answered with {len(orders)} orders", subject=key)
    for order_id, keys in _several(keys_of_order):
        yield Violation(what=f"{len(keys)} keys were answered with one order", subject=order_id, order_id=order_id)
    for entry in facts.journal:
        if entry.type == "seen":
            yield from _seen(facts, entry)
    yield from _uncalled_for(facts, set(orders_of_key))


def _several(groups: dict[str, set[str]]) -> Iterator[tuple[str, set[str]]]:
    return ((name, members) for name, members in sorted(groups.items()) if len(members) > 1)


def _is_promise(entry: JournalEntry) -> bool:
    return entry.type == "answer" and entry.status is not None and 200 <= entry.status < 300


def _seen(facts: Facts, entry: JournalEntry) -> Iterator[Violation]:
    order = facts.order_by_id.get(entry.order_id)
    if order is None:
        what = f"an order that a client saw {entry.order_status} does not exist"
        yield Violation(what=what, subject=entry.order_id, order_id=entry.order_id)
    elif entry.order_status in FINAL_ORDER and entry.order_status != order.status:
        yield _about(order, f"a client saw the order {entry.order_status}, it is {order.status} now")


def _uncalled_for(facts: Facts, answered: set[str]) -> Iterator[Violation]:
    """A user has at most one order for each key that was not answered for certain, beside the acknowledged ones."""
    attempts: dict[str, list[JournalEntry]] = defaultdict(list)
    for entry in facts.journal:
        if entry.type == "attempt" and entry.user_id:
            attempts[entry.user_id].append(entry)
    refused = {entry.key for entry in facts.journal if entry.type == "answer" and entry.status in _REFUSED}
    promised = {entry.order_id for entry in facts.journal if _is_promise(entry)}
    for user_id, entries in attempts.items():
        begun = rfc3339(min(entry.at for entry in entries))[:19]  # to the second, as clocks are read twice
        made = [order for order in facts.orders if order.user_id == user_id and order.created_at >= begun]
        surplus = [order for order in made if order.order_id not in promised]
        possible = {entry.key for entry in entries} - answered - refused
        if len(surplus) > len(possible):
            what = f"{len(surplus)} orders without an answer for {len(possible)} keys without a certain one"
            yield Violation(what=what, subject=user_id, order_id=surplus[-1].order_id)


def _about(order: Order, what: str) -> Violation:
    return Violation(what=what, subject=order.order_id, order_id=order.order_id)
