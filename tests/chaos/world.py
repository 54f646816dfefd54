"""A small healthy shop as facts: one order confirmed, one rejected, one cancelled; and how to lay it into databases."""

import dataclasses
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from bandstand.chaos.audit import facts as f
from bandstand.chaos.provider.records import Captured, Declined, Record, Refunded

__all__ = ["CONSUMERS", "LEDGER", "SteppedClock", "changed", "healthy", "lay", "sql"]

AT = "2026-05-04T10:00:{:02}.000000Z"
NOW = datetime(2026, 5, 4, 10, 5, tzinfo=UTC)
CONSUMERS = {
    "inventory.create_stock": ["products.product_created.v1"],
    "notifications.mail_confirmation": ["orders.order_confirmed.v1"],
}

T = TypeVar("T")


def changed(rows: Iterable[T], where: Callable[[T], bool], **values: Any) -> list[T]:
    """The rows with *values* put into those *where* is true; at least one must be."""
    rows = list(rows)
    assert any(where(row) for row in rows)
    return [dataclasses.replace(row, **values) if where(row) else row for row in rows]  # type: ignore[type-var]


def order(name: str, status: str) -> f.Order:
    return f.Order(order_id=name, user_id="u1", status=status, total_amount=500, currency="EUR",
                   created_at=AT.format(1), updated_at=AT.format(9))  # fmt: skip


def past(name: str, *statuses: str) -> list[f.HistoryEntry]:
    return [f.HistoryEntry(order_id=name, seq=n, status=each, at=AT.format(n)) for n, each in enumerate(statuses, 1)]


def saga(name: str, state: str) -> f.Saga:
    return f.Saga(saga_id=f"s-{name}", type="order_processing", business_key=name, state=state, step=None, epoch=1,
                  updated_at=AT.format(9))  # fmt: skip


def log(name: str, *lines: str) -> list[f.SagaStep]:
    """Lines such as `reserve_stock do ok`; each has its intent before it."""
    return [
        f.SagaStep(saga_id=f"s-{name}", step=step, direction=direction, attempt=number, outcome=each,
                   key=f"s-{name}:{step}", at=AT.format(number + 2))
        for number, (step, direction, outcome) in enumerate(map(str.split, lines))
        for each in ("intent", outcome)
    ]  # fmt: skip


def reservation(name: str, state: str, *, product: str | None = "p1") -> f.Reservation:
    return f.Reservation(key=f"s-{name}:reserve_stock", order_id=name, product_id=product, quantity=2 if product else 0,
                         state=state, expires_at=AT.format(50))  # fmt: skip


def payment(name: str, state: str, *, refunded: int = 0) -> f.Payment:
    return f.Payment(key=f"s-{name}:capture_payment", order_id=name, amount=500, currency="EUR", state=state,
                     refunded_amount=refunded)  # fmt: skip


def charge(name: str, state: str, *, captured: int = 0, refunded: int = 0, key: str = "") -> f.Charge:
    return f.Charge(key=key or f"s-{name}:capture_payment", reference=name, state=state, amount=500, currency="EUR",
                    captured=captured, refunded=refunded, updated_at=AT.format(5))  # fmt: skip


def event(kind: str, subject: str, sequence: int) -> f.OutboxRow:
    return f.OutboxRow(event_id=f"{kind}/{subject}/{sequence}", type=kind, subject=subject, sequence=sequence,
                       state="delivered", created_at=AT.format(1), delivered_at=AT.format(2))  # fmt: skip


def applied(consumer: str, published: f.OutboxRow, second: int) -> f.InboxRow:
    return f.InboxRow(consumer=consumer, event_id=published.event_id, applied_at=AT.format(second))


OUTBOX = {
    "products": [event("products.product_created.v1", "p1", 1), event("products.product_updated.v1", "p1", 2)],
    "orders": [
        *(event("orders.order_placed.v1", name, n) for n, name in enumerate(("paid", "poor", "late"), 1)),
        event("orders.order_confirmed.v1", "paid", 4),
        event("orders.order_rejected.v1", "poor", 5),
        event("orders.order_cancelled.v1", "late", 6),
    ],
    "payments": [event("payments.payment_captured.v1", "paid", 1)],
}


def healthy() -> f.Facts:
    """Facts over which every invariant holds. `paid` was partly refunded by staff; `late` was cancelled unpaid."""
    return f.Facts(
        at=NOW,
        orders=[order("paid", "confirmed"), order("poor", "rejected"), order("late", "cancelled")],
        history=past("paid", "pending", "confirmed") + past("poor", "pending", "rejected")
        + past("late", "pending", "cancelled"),
        stock=[f.Stock(product_id="p1", sku="SKU-1", initial=0, restocked=10, available=8, held=0, sold=2)],
        reservations=[reservation("paid", "committed"), reservation("poor", "released"),
                      reservation("late", "tombstoned", product=None)],
        payments=[payment("paid", "captured", refunded=100), payment("poor", "declined"), payment("late", "cancelled")],
        charges=[charge("paid", "captured", captured=500, refunded=100), charge("poor", "declined"),
                 charge("late", "refunded", captured=500, refunded=500)],
        sagas=[saga("paid", "completed"), saga("poor", "compensated"), saga("late", "compensated")],
        steps=[
            *log("paid", "reserve_stock do ok", "capture_payment do ok", "commit_stock do ok", "confirm_order do ok"),
            *log("poor", "reserve_stock do ok", "capture_payment do refused", "reserve_stock undo ok"),
            *log("late", "reserve_stock do unknown", "capture_payment do unknown", "capture_payment undo ok",
                 "reserve_stock undo ok"),
        ],
        outbox=OUTBOX,
        inbox={
            "inventory": [applied("inventory.create_stock", OUTBOX["products"][0], 3)],
            "notifications": [applied("notifications.mail_confirmation", OUTBOX["orders"][3], 4)],
            "orders": [applied("orders.follow_product", each, n) for n, each in enumerate(OUTBOX["products"], 3)],
        },
        dead_letters={"orders": []},
        availability=[f.Availability(product_id="p1", available=8)],
        statistics=[f.Statistic(day="2026-05-04", status=each, count=1, total_amount=500)
                    for each in ("confirmed", "rejected", "cancelled")],
        catalogue=[f.CatalogueEntry(product_id="p1", sku="SKU-1", amount=250, currency="EUR", is_active=True)],
        catalogue_replica=[f.CatalogueEntry(product_id="p1", sku="SKU-1", amount=250, currency="EUR", is_active=True)],
        consumers=CONSUMERS,
        absent=frozenset({"journal"}),
    )  # fmt: skip


def lay(facts: f.Facts, folder: Path) -> dict[str, Any]:
    """Write *facts* into one database a service, with the columns of the audit views; return its part of the status."""
    tables: dict[str, list[tuple[type[f.Row], list[Any]]]] = {
        "orders": [(f.Order, facts.orders), (f.HistoryEntry, facts.history), (f.Saga, facts.sagas),
                   (f.SagaStep, facts.steps), (f.Statistic, facts.statistics),
                   (f.CatalogueEntry, facts.catalogue_replica)],
        "inventory": [(f.Stock, facts.stock), (f.Reservation, facts.reservations)],
        "payments": [(f.Payment, facts.payments)],
        "products": [(f.CatalogueEntry, facts.catalogue), (f.Availability, facts.availability)],
        "notifications": [],
    }  # fmt: skip
    for service, own in tables.items():
        own += [(f.OutboxRow, facts.outbox.get(service, [])), (f.InboxRow, facts.inbox.get(service, [])),
                (f.DeadLetter, facts.dead_letters.get(service, []))]  # fmt: skip
        with closing(sqlite3.connect(folder / f"{service}.sqlite3")) as connection, connection:
            for kind, rows in own:
                _fill(connection, kind, rows)
    return {name: {"url": "", "database": f"sqlite:///{folder}/{name}.sqlite3"} for name in tables}


def _fill(connection: sqlite3.Connection, kind: type[f.Row], rows: list[Any]) -> None:
    names = [field.name for field in dataclasses.fields(kind)]
    connection.execute(f"CREATE TABLE {kind.view}_source ({', '.join(names)})")
    places = ", ".join("?" * len(names))
    values = [[getattr(row, name) for name in names] for row in rows]
    connection.executemany(f"INSERT INTO {kind.view}_source VALUES ({places})", values)
    connection.execute(f"CREATE VIEW {kind.view} AS SELECT * FROM {kind.view}_source")


ASKED: dict[str, Any] = {"amount": 500, "currency": "EUR"}
LEDGER: list[Record] = [
    Captured(at=NOW, key="s-paid:capture_payment", reference="paid", **ASKED),
    Refunded(at=NOW, key="s-paid:capture_payment", refund="r1", amount=100),
    Declined(at=NOW, key="s-poor:capture_payment", reference="poor", reason="card_declined", **ASKED),
    Captured(at=NOW, key="s-late:capture_payment", reference="late", **ASKED),
    Refunded(at=NOW, key="s-late:capture_payment", amount=500),
]


@dataclass
class SteppedClock:
    """A clock that stands at the facts' time, advances only by sleeping, and lets something happen meanwhile."""

    meanwhile: Callable[[], None] = lambda: None
    slept: float = 0.0
    held: bool = field(default=True)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.slept)

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.meanwhile()


def sql(tmp_path: Path, service: str, statement: str) -> None:
    with closing(sqlite3.connect(tmp_path / f"{service}.sqlite3")) as connection, connection:
        assert connection.execute(statement).rowcount != 0
