"""What the provider knows: a fold over its records, and the decisions that make new ones. No I/O, no threads."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bandstand.chaos.provider.records import (
    Accepted,
    Cancelled,
    Captured,
    Declined,
    ModeSet,
    Notified,
    Record,
    Refunded,
    WebhookRegistered,
)
from bandstand.clock import rfc3339, uuid7

__all__ = ["Answer", "Book", "Charge", "Event", "Order", "failure"]

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a caller asks to be charged."""

    key: str
    reference: str
    amount: int
    currency: str


@dataclass(kw_only=True)
class Charge:
    """The present state of one key."""

    key: str
    reference: str = ""
    amount: int = 0
    currency: str = ""
    state: str = "pending"
    reason: str = ""
    captured: int = 0
    refunded: int = 0
    refunds: dict[str, int] = field(default_factory=dict)
    updated_at: datetime

    def shown(self) -> dict[str, Any]:
        """The charge as the protocol lists it."""
        names = ("key", "reference", "state", "amount", "currency", "captured", "refunded")
        return {**{name: getattr(self, name) for name in names}, "updated_at": rfc3339(self.updated_at)}


@dataclass(frozen=True, kw_only=True)
class Event:
    """One webhook to send: its id and its body."""

    id: str
    body: dict[str, Any]


def failure(status: int, code: str, message: str, **more: Any) -> Answer:
    """An answer that says what is wrong, with whatever *more* the protocol promises beside it."""
    return status, {**more, "error": {"code": code, "message": message}}


class Book:
    """Every key ever seen, in the order of first appearance, and the events nobody has acknowledged."""

    def __init__(self) -> None:
        self.charges: dict[str, Charge] = {}
        self.due: dict[str, datetime] = {}
        self.events: dict[str, Event] = {}
        self.webhook: WebhookRegistered | None = None
        self.mode = "up"

    def fold(self, record: Record) -> None:
        """Take *record* in: the one way in which state changes, when it happens and when the ledger is read again."""
        match record:
            case Accepted() | Captured() | Declined():
                self._charge(record)
            case Cancelled():
                charge = self._at(record.key, record.at)
                charge.state = "cancelled"
                self._event(record.event, "charge.cancelled", charge, charge.amount)
            case Refunded():
                self._refund(record)
            case WebhookRegistered():
                self.webhook = record
            case ModeSet():
                self.mode = record.mode
            case Notified():
                self.events.pop(record.event, None)

    def known(self, order: Order) -> Answer | None:
        """The answer to an order whose key is known already, or None for a new one."""
        charge = self.charges.get(order.key)
        if charge is None:
            return None
        if charge.state in {"cancelled", "refunded"}:
            return failure(409, "cancelled", "This key has been cancelled.", key=order.key, state="cancelled")
        if (charge.amount, charge.currency, charge.reference) != (order.amount, order.currency, order.reference):
            return failure(422, "mismatch", "This key belongs to another amount, currency or reference.", key=order.key)
        return self.outcome(order.key)

    def outcome(self, key: str) -> Answer:
        """The answer that a charge of *key* gets in its present state."""
        charge = self.charges[key]
        if charge.state == "pending":
            return failure(503, "in_progress", "This charge is being processed.", key=key, state="pending")
        if charge.state == "declined":
            return 402, {"key": key, "state": "declined", "reason": charge.reason}
        if charge.state == "captured":
            return 201, {"key": key, "state": "captured", "amount": charge.amount, "currency": charge.currency}
        return failure(409, "cancelled", "This key has been cancelled.", key=key, state="cancelled")

    def captured(self, order: Order, now: datetime) -> Captured:
        """The record that takes the money."""
        asked = {"reference": order.reference, "amount": order.amount, "currency": order.currency}
        return Captured(at=now, key=order.key, event=self._event_id(), **asked)  # type: ignore[arg-type]

    def executed(self, key: str, now: datetime) -> Captured | None:
        """The record that takes the money of an accepted charge; None when it was cancelled before."""
        charge = self.charges[key]
        if charge.state != "pending":
            return None
        order = Order(key=key, reference=charge.reference, amount=charge.amount, currency=charge.currency)
        return self.captured(order, now)

    def cancelled(self, key: str, now: datetime) -> Record | None:
        """The record that kills *key*: all money goes back, and nothing can be charged under it any more."""
        charge = self.charges.get(key)
        if charge is None or charge.state == "declined":
            return Cancelled(at=now, key=key)
        if charge.state == "pending":
            return Cancelled(at=now, key=key, event=self._event_id())
        if charge.state == "captured":
            left = charge.captured - charge.refunded
            return Refunded(at=now, key=key, amount=left, event=self._event_id() if left else "")
        return None

    def refunded(self, key: str, *, refund: str, amount: int, now: datetime) -> Refunded | Answer:
        """The record that gives *amount* back under the key *refund*, or the answer when there is nothing to do."""
        charge = self.charges.get(key)
        if charge is None:
            return failure(404, "not_found", "No such charge.")
        before = charge.refunds.get(refund)
        if before is not None and before != amount:
            return failure(422, "mismatch", "This refund key belongs to another amount.")
        if before is not None:
            return 201, {"key": key, "refund_key": refund, "amount": amount}
        if charge.state != "captured":
            return failure(409, "not_captured", "Only a captured charge can be refunded.", state=charge.state)
        if amount > charge.captured - charge.refunded:
            return failure(
                422, "refund_exceeds_charge", "More than what is left of the charge.", refunded=charge.refunded
            )
        return Refunded(at=now, key=key, amount=amount, refund=refund, event=self._event_id())

    def _event_id(self) -> str:
        return str(uuid7()) if self.webhook else ""

    def _at(self, key: str, moment: datetime) -> Charge:
        charge = self.charges.setdefault(key, Charge(key=key, updated_at=moment))
        charge.updated_at = moment
        self.due.pop(key, None)
        return charge

    def _charge(self, record: Accepted | Captured | Declined) -> None:
        charge = self._at(record.key, record.at)
        charge.reference, charge.amount, charge.currency = record.reference, record.amount, record.currency
        if isinstance(record, Accepted):
            self.due[record.key] = record.due
        elif isinstance(record, Declined):
            charge.state, charge.reason = "declined", record.reason
        else:
            charge.state, charge.captured = "captured", record.amount
            self._event(record.event, "charge.captured", charge, record.amount)

    def _refund(self, record: Refunded) -> None:
        charge = self._at(record.key, record.at)
        charge.refunded += record.amount
        if record.refund:
            charge.refunds[record.refund] = record.amount
        else:
            charge.state = "refunded"
        self._event(record.event, "charge.refunded", charge, record.amount)

    def _event(self, event: str, kind: str, charge: Charge, amount: int) -> None:
        if event:
            body = {"id": event, "type": kind, "key": charge.key, "state": charge.state, "amount": amount}
            body |= {"currency": charge.currency, "at": rfc3339(charge.updated_at)}
            self.events[event] = Event(id=event, body=body)
