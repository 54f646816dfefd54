"""Calls to other services, one function for each. Never inside a transaction."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from bandstand.client import Reply, ServiceClient
from bandstand.errors import ExternalServiceError, NotFound, ServiceUnavailable
from bandstand.replicas import backfills
from orders.config import orders_config
from orders.models import CatalogueProduct

_users = ServiceClient("users")
_products = ServiceClient("products", anonymous=True)
_inventory = ServiceClient("inventory")
_payments = ServiceClient("payments")

_QUICK = timedelta(seconds=5)
_OPEN = (503, 504)
"""What payments answers while it does not know the outcome itself."""


@dataclass(frozen=True, kw_only=True)
class UserState:
    """What orders must know of a user."""

    id: UUID
    is_active: bool


@dataclass(frozen=True, kw_only=True)
class Price:
    """Money: integer minor units and their currency."""

    amount: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class ProductState:
    """What orders must know of a product."""

    id: UUID
    sku: str
    name: str
    price: Price
    is_active: bool = True


@dataclass(frozen=True, kw_only=True)
class Pagination:
    """Where the list of products goes on."""

    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProductPage:
    """Some of the products that are sold."""

    results: list[ProductState]
    pagination: Pagination


@dataclass(frozen=True, kw_only=True)
class ReservationLine:
    """Units of a product."""

    product_id: str
    quantity: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why payments has no outcome to tell."""

    message: str = ""


@dataclass(frozen=True, kw_only=True)
class PaymentState:
    """What payments says of a key; while the outcome is open, `error` says why and the other fields are empty."""

    key: str = ""
    state: str = ""
    amount: int = 0
    currency: str = ""
    error: Fault = Fault()


def user(user_id: str) -> UserState:
    """The user's present state. Raises NotFound."""
    return _users.get(f"/internal/v1/users/{user_id}/", into=UserState, timeout=_QUICK).data


def product(product_id: UUID) -> CatalogueProduct | None:
    """The product as products sells it, or None."""
    try:
        state = _products.get(f"/api/v1/products/{product_id}/", into=ProductState, timeout=_QUICK).data
    except NotFound:
        return None
    return _sold(state) if state.is_active else None


@backfills(CatalogueProduct)
def every_product() -> Iterator[CatalogueProduct]:
    """All products that are sold, a page at a time."""
    cursor: str | None = ""
    while cursor is not None:
        params = {"cursor": cursor, "page_size": 100}
        page = _products.get("/api/v1/products/", params=params, into=ProductPage, timeout=_QUICK).data
        yield from map(_sold, page.results)
        cursor = page.pagination.next_cursor


def reserve(key: str, *, order_id: str, lines: Collection[ReservationLine], ttl: timedelta) -> None:
    """Hold stock under *key*, all lines or none; the same key again renews. Raises BusinessRuleViolated, Conflict."""
    body = {
        "order_id": order_id,
        "lines": [{"product_id": line.product_id, "quantity": line.quantity} for line in lines],
        "ttl_seconds": int(ttl.total_seconds()),
    }
    _inventory.put(f"/internal/v1/reservations/{key}/", body=body, timeout=_QUICK)


def release(key: str) -> None:
    """Give back what *key* holds; a reservation that arrives later is refused. Idempotent."""
    _inventory.delete(f"/internal/v1/reservations/{key}/", timeout=_QUICK)


def commit(key: str) -> None:
    """Turn what *key* holds into sold units. Idempotent. Raises Conflict."""
    _inventory.post(f"/internal/v1/reservations/{key}/commit/", idempotency_key=key, timeout=_QUICK)


def capture(key: str, *, order_id: str, user_id: str, money: Price, payment_method: str) -> None:
    """Take the money under *key*, once however often it is asked. Raises PaymentDeclined, Conflict.

    An answer about other money is none: the outcome is unknown.
    """
    body = {
        "order_id": order_id,
        "user_id": user_id,
        "amount": money.amount,
        "currency": money.currency,
        "payment_method": payment_method,
    }
    patience = orders_config().payment_timeout
    path = f"/internal/v1/payments/{key}/"
    taken = _asked_once(_payments.put(path, body=body, into=PaymentState, answers=_OPEN, timeout=patience))
    if taken != PaymentState(key=key, state="captured", amount=money.amount, currency=money.currency):
        raise ExternalServiceError("Payments confirmed something else.", service_name=_payments.target)


def cancel_payment(key: str) -> None:
    """Cancel or refund what *key* captured; a capture that arrives later is refused. Idempotent."""
    path, patience = f"/internal/v1/payments/{key}/", orders_config().payment_timeout
    _asked_once(_payments.delete(path, into=PaymentState, answers=_OPEN, timeout=patience))


def _asked_once(reply: Reply[PaymentState]) -> PaymentState:
    """The answer's body. Payments that is busy or slow is given up on early: the saga asks again with the same key.

    A thread that waits here is missing for other orders. Raises ServiceUnavailable with the reason that payments gives.
    """
    if reply.status in _OPEN:
        raise ServiceUnavailable(f"Payments has no outcome: {reply.data.error.message}", service_name=_payments.target)
    return reply.data


def _sold(state: ProductState) -> CatalogueProduct:
    return CatalogueProduct(
        product_id=state.id,
        sku=state.sku,
        name=state.name,
        price_minor=state.price.amount,
        currency=state.price.currency,
    )
