"""What the invariants are judged on: rows of the audit views, the provider's charges, a client's journal."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import ClassVar, TypeVar

__all__ = [
    "FINAL_ORDER",
    "FINAL_SAGA",
    "Availability",
    "CatalogueEntry",
    "Charge",
    "DeadLetter",
    "Facts",
    "HistoryEntry",
    "InboxRow",
    "JournalEntry",
    "Order",
    "OutboxRow",
    "Payment",
    "Reservation",
    "Row",
    "Saga",
    "SagaStep",
    "Statistic",
    "Stock",
]

T = TypeVar("T")

FINAL_ORDER = frozenset({"confirmed", "rejected", "cancelled"})
FINAL_SAGA = frozenset({"completed", "compensated", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the view that the class names; its fields are the view's columns."""

    view: ClassVar[str]


@dataclass(frozen=True, kw_only=True)
class Order(Row):
    """An order as it stands."""

    view = "audit_orders"
    order_id: str
    user_id: str
    status: str
    total_amount: int
    currency: str
    created_at: str
    updated_at: str


@dataclass(frozen=True, kw_only=True)
class HistoryEntry(Row):
    """One status that an order has had."""

    view = "audit_order_history"
    order_id: str
    seq: int
    status: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Stock(Row):
    """The units of a product by what has become of them."""

    view = "audit_stock"
    product_id: str
    sku: str
    initial: int
    restocked: int
    available: int
    held: int
    sold: int


@dataclass(frozen=True, kw_only=True)
class Reservation(Row):
    """One line of a reservation; a tombstone without lines has no product."""

    view = "audit_reservations"
    key: str
    order_id: str | None
    product_id: str | None
    quantity: int
    state: str
    expires_at: str | None


@dataclass(frozen=True, kw_only=True)
class Payment(Row):
    """A payment as the shop knows it; a tombstone has no order and no amount."""

    view = "audit_payments"
    key: str
    order_id: str | None
    amount: int
    currency: str | None
    state: str
    refunded_amount: int


@dataclass(frozen=True, kw_only=True)
class OutboxRow(Row):
    """An event that was committed."""

    view = "audit_outbox"
    event_id: str
    type: str
    subject: str
    sequence: int
    state: str
    created_at: str
    delivered_at: str | None


@dataclass(frozen=True, kw_only=True)
class InboxRow(Row):
    """An event that a consumer has applied."""

    view = "audit_inbox"
    consumer: str
    event_id: str
    applied_at: str


@dataclass(frozen=True, kw_only=True)
class DeadLetter(Row):
    """An event that a consumer gave up on."""

    view = "audit_dead_letters"
    consumer: str
    event_id: str
    type: str
    attempts: int
    reason: str
    state: str
    first_failed_at: str | None


@dataclass(frozen=True, kw_only=True)
class Saga(Row):
    """A saga as it stands."""

    view = "audit_sagas"
    saga_id: str
    type: str
    business_key: str
    state: str
    step: str | None
    epoch: int
    updated_at: str


@dataclass(frozen=True, kw_only=True)
class SagaStep(Row):
    """One line of a saga's log."""

    view = "audit_saga_steps"
    saga_id: str
    step: str
    direction: str
    attempt: int
    outcome: str
    key: str
    at: str


@dataclass(frozen=True, kw_only=True)
class Availability(Row):
    """What products believes to be available."""

    view = "audit_availability"
    product_id: str
    available: int | None


@dataclass(frozen=True, kw_only=True)
class Statistic(Row):
    """The orders of one day that stand in one status."""

    view = "audit_statistics"
    day: str
    status: str
    count: int
    total_amount: int


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry(Row):
    """A product: in products the truth, in orders the replica."""

    view = "audit_catalogue"
    product_id: str
    sku: str
    amount: int
    currency: str
    is_active: bool


@dataclass(frozen=True, kw_only=True)
class Charge:
    """A charge in the provider's own ledger."""

    key: str
    reference: str | None
    state: str
    amount: int
    currency: str | None
    captured: int
    refunded: int
    updated_at: str


@dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """One line of a client's journal; the format is in docs/reference/verification.md."""

    type: str
    at: datetime
    key: str = ""
    user_id: str = ""
    status: int | None = None
    order_id: str = ""
    order_status: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that was read. A mapping is by service; *absent* names the views and sources that were not there."""

    at: datetime
    orders: list[Order] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
    stock: list[Stock] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    sagas: list[Saga] = field(default_factory=list)
    steps: list[SagaStep] = field(default_factory=list)
    outbox: Mapping[str, list[OutboxRow]] = field(default_factory=dict)
    inbox: Mapping[str, list[InboxRow]] = field(default_factory=dict)
    dead_letters: Mapping[str, list[DeadLetter]] = field(default_factory=dict)
    availability: list[Availability] = field(default_factory=list)
    statistics: list[Statistic] = field(default_factory=list)
    catalogue: list[CatalogueEntry] = field(default_factory=list)
    catalogue_replica: list[CatalogueEntry] = field(default_factory=list)
    consumers: Mapping[str, list[str]] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    expected_dead: int = 0
    absent: frozenset[str] = frozenset()

    @cached_property
    def order_by_id(self) -> dict[str, Order]:
        return {order.order_id: order for order in self.orders}

    @cached_property
    def saga_of_order(self) -> dict[str, Saga]:
        return {saga.business_key: saga for saga in self.sagas if saga.type == "order_processing"}

    @cached_property
    def charges_of_order(self) -> dict[str, list[Charge]]:
        return _grouped((charge.reference or "", charge) for charge in self.charges)

    @cached_property
    def steps_of_saga(self) -> dict[str, list[SagaStep]]:
        return _grouped((step.saga_id, step) for step in self.steps)

    @cached_property
    def reservations_by_key(self) -> dict[str, list[Reservation]]:
        return _grouped((reservation.key, reservation) for reservation in self.reservations)

    @cached_property
    def payment_by_key(self) -> dict[str, Payment]:
        return {payment.key: payment for payment in self.payments}

    @cached_property
    def history_of_order(self) -> dict[str, list[HistoryEntry]]:
        ordered = sorted(self.history, key=lambda entry: entry.seq)
        return _grouped((entry.order_id, entry) for entry in ordered)


def _grouped(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
