"""The shop's invariants: each one small pure function over the facts."""

from collections.abc import Callable
from dataclasses import dataclass

from bandstand.chaos.audit.facts import Facts
from bandstand.chaos.audit.invariants import events, money, orders, projections, sagas, stock
from bandstand.chaos.audit.invariants.violation import Check, Violation

__all__ = ["INVARIANTS", "Invariant", "Violation"]


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """One check: its number, what it claims, the sources it *needs*, and how many things it looks at.

    A source is `service.view`, `*.view` (every service), `provider`, `consumers` or `journal`. *lags* says that a
    healthy fleet may need a moment after the last order until it holds.
    """

    id: str
    claim: str
    check: Check
    needs: tuple[str, ...]
    counts: Callable[[Facts], int]
    lags: bool = False


def _rows(mapping: str) -> Callable[[Facts], int]:
    return lambda facts: sum(map(len, getattr(facts, mapping).values()))


_ORDERS, _SAGAS, _STEPS = "orders.audit_orders", "orders.audit_sagas", "orders.audit_saga_steps"
_RESERVATIONS, _PAYMENTS = "inventory.audit_reservations", "payments.audit_payments"

INVARIANTS = (
    Invariant(
        id="I1",
        claim="no unit of stock appears, vanishes or is sold twice",
        check=stock.conserved,
        needs=("inventory.audit_stock", _RESERVATIONS),
        counts=lambda facts: len(facts.stock),
    ),
    Invariant(
        id="I2",
        claim="every order has ended, and what ended never changed",
        check=orders.terminal,
        needs=(_ORDERS, "orders.audit_order_history"),
        counts=lambda facts: len(facts.orders),
    ),
    Invariant(
        id="I3",
        claim="the provider charged confirmed orders once, others not at all",
        check=money.charged,
        needs=(_ORDERS, "provider"),
        counts=lambda facts: len(facts.charges),
    ),
    Invariant(
        id="I3",
        claim="payments and the provider agree, staff refunds included",
        check=money.books,
        needs=(_PAYMENTS, "provider"),
        counts=lambda facts: len(facts.payments),
    ),
    Invariant(
        id="I4",
        claim="every consumer applied each of its events exactly once",
        check=events.applied_once,
        needs=("*.audit_outbox", "*.audit_inbox", "*.audit_dead_letters", "consumers"),
        counts=_rows("inbox"),
        lags=True,
    ),
    Invariant(
        id="I4",
        claim="every order and capture has its event, every event its order",
        check=events.told,
        needs=("*.audit_outbox", _ORDERS, _PAYMENTS),
        counts=_rows("outbox"),
    ),
    Invariant(
        id="I5",
        claim="each consumer applied the events of an aggregate in order",
        check=events.in_order,
        needs=("*.audit_outbox", "*.audit_inbox", "*.audit_dead_letters"),
        counts=_rows("inbox"),
    ),
    Invariant(
        id="I6",
        claim="every order has its saga, and both tell the same end",
        check=sagas.orders,
        needs=(_ORDERS, _SAGAS),
        counts=lambda facts: len(facts.sagas),
    ),
    Invariant(
        id="I6",
        claim="what a saga logged is what the participants hold",
        check=sagas.effects,
        needs=(_SAGAS, _STEPS, _RESERVATIONS, _PAYMENTS),
        counts=lambda facts: len(facts.steps),
    ),
    Invariant(
        id="I6",
        claim="no participant holds a key that no saga logged",
        check=sagas.keys,
        needs=(_STEPS, _RESERVATIONS, _PAYMENTS, "provider"),
        counts=lambda facts: len(facts.reservations) + len(facts.payments) + len(facts.charges),
    ),
    Invariant(
        id="I7",
        claim="nothing is held for an order that ended",
        check=stock.orphans,
        needs=(_ORDERS, _SAGAS, _RESERVATIONS),
        counts=lambda facts: len(facts.reservations),
    ),
    Invariant(
        id="I8",
        claim="every answer that a client got is kept",
        check=orders.acknowledged,
        needs=(_ORDERS, "journal"),
        counts=lambda facts: len(facts.journal),
    ),
    Invariant(
        id="I9",
        claim="the availability in products is that of inventory",
        check=projections.availability,
        needs=("inventory.audit_stock", "products.audit_availability"),
        counts=lambda facts: len(facts.availability),
        lags=True,
    ),
    Invariant(
        id="I9",
        claim="the statistics are the fold of the orders",
        check=projections.statistics,
        needs=(_ORDERS, "orders.audit_statistics"),
        counts=lambda facts: len(facts.statistics),
        lags=True,
    ),
    Invariant(
        id="I9",
        claim="the catalogue in orders is that of products",
        check=projections.catalogue,
        needs=("products.audit_catalogue", "orders.audit_catalogue"),
        counts=lambda facts: len(facts.catalogue_replica),
        lags=True,
    ),
    Invariant(
        id="I10",
        claim="the dead letters are those expected",
        check=events.dead_letters,
        needs=("*.audit_dead_letters",),
        counts=_rows("dead_letters"),
    ),
)
