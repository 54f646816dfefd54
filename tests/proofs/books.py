"""What the databases of a shop say while it runs."""

from collections.abc import Mapping
from typing import Any, TypeVar

from bandstand.chaos.audit.databases import opened
from bandstand.chaos.audit.facts import FINAL_ORDER, FINAL_SAGA, Order, Payment, Row, Saga, SagaStep

__all__ = ["calls_under_way", "live_sagas", "order_states", "rows", "unconfirmed_ends"]

R = TypeVar("R", bound=Row)
Status = Mapping[str, Any]
_SETTLED = frozenset({"captured", "declined", "cancelled", "refunded"})


def rows(status: Status, service: str, kind: type[R]) -> list[R]:
    """Every row of a view of *service*, in one snapshot."""
    with opened(status["services"][service]["database"]) as database:
        return database.rows(kind)


def order_states(status: Status) -> dict[str, str]:
    """Where each order stands."""
    return {order.order_id: order.status for order in rows(status, "orders", Order)}


def live_sagas(status: Status) -> list[Saga]:
    """Those that have not ended."""
    return [saga for saga in rows(status, "orders", Saga) if saga.state not in FINAL_SAGA]


def calls_under_way(status: Status) -> dict[str, SagaStep]:
    """By saga the attempt that was intended last, where nothing was heard of it yet."""
    last: dict[str, SagaStep] = {}
    heard: set[tuple[str, str, str, int]] = set()
    for line in rows(status, "orders", SagaStep):
        if line.outcome != "intent":
            heard.add((line.saga_id, line.step, line.direction, line.attempt))
        elif line.saga_id not in last or line.at >= last[line.saga_id].at:
            last[line.saga_id] = line
    return {saga: line for saga, line in last.items() if (saga, line.step, line.direction, line.attempt) not in heard}


def unconfirmed_ends(status: Status) -> list[str]:
    """Orders that ended although payments has not settled what was, or may have been, asked of it.

    Read in the order in which ends come about, so that none is suspected wrongly.
    """
    ended = {order.order_id: order.status for order in rows(status, "orders", Order) if order.status in FINAL_ORDER}
    sagas = {saga.saga_id: saga.business_key for saga in rows(status, "orders", Saga)}
    asked = {line.key: sagas[line.saga_id] for line in rows(status, "orders", SagaStep) if line.step == _PAYING}
    states = {payment.key: payment.state for payment in rows(status, "payments", Payment)}
    return [order for key, order in asked.items() if order in ended and states.get(key) not in _SETTLED]


_PAYING = "capture_payment"
