"""Calls to the payment provider, one function for each. Never inside a transaction.

Every call carries the payment's own key, so a repeat has no further effect; an answer that is none of the protocol
raises, which leaves the outcome unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Literal
from uuid import UUID

from bandstand.client import ExternalClient
from bandstand.clock import rfc3339
from payments.config import payments_config

_provider = ExternalClient(lambda: payments_config().provider_url, name="payment-provider")


@dataclass(frozen=True, kw_only=True)
class ChargeAnswer:
    """What the provider says of a charge."""

    state: Literal["captured", "declined", "cancelled", "refunded"]
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ListedCharge:
    """A line of the provider's list."""

    key: str
    state: str
    amount: int
    currency: str


@dataclass(frozen=True, kw_only=True)
class _Page:
    results: list[ListedCharge]
    next: str | None = None


def charge(key: str, *, amount: int, currency: str, payment_method: str, reference: UUID) -> ChargeAnswer:
    """Take the money: `captured`, `declined`, or `cancelled` when a cancel came first."""
    body = {"amount": amount, "currency": currency, "payment_method": payment_method, "reference": str(reference)}
    timeout = payments_config().provider_timeout
    reply = _provider.put(f"/v1/charges/{key}", body=body, into=ChargeAnswer, answers=(402, 409), timeout=timeout)
    return reply.data


def cancel_charge(key: str) -> ChargeAnswer:
    """Make sure nothing is, or stays, taken: `cancelled` or `refunded`."""
    reply = _provider.delete(f"/v1/charges/{key}", into=ChargeAnswer, timeout=payments_config().provider_timeout)
    return reply.data


def refund(key: str, *, refund_key: UUID, amount: int) -> None:
    """Give back *amount* of a captured charge, once for each refund key."""
    path = f"/v1/charges/{key}/refunds/{refund_key}"
    _provider.put(path, body={"amount": amount}, timeout=payments_config().provider_timeout)


def charges_since(moment: datetime) -> Iterator[list[ListedCharge]]:
    """All charges that changed at or after *moment*, page by page."""
    for page in count(1):
        answer = _provider.get("/v1/charges", params={"since": rfc3339(moment), "page": page}, into=_Page).data
        yield answer.results
        if answer.next is None:
            return


def register_webhook(*, url: str, secret: str) -> None:
    """Tell the provider where to send its webhooks and what to sign them with."""
    _provider.put("/v1/webhook", body={"url": url, "secret": secret})
