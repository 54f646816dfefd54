"""Calls to the payment provider, one function for each. Never inside a transaction.

Every call carries the payment's own key, so a repeat has no further effect; an answer that is none of the protocol
raises, which leaves the outcome unknown.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from typing import Literal
from uuid import UUID

from bandstand.client import ExternalClient
from bandstand.clock import rfc3339
from bandstand.errors import DeadlineExceeded, ServiceUnavailable
from bandstand.resilience import Deadline
from payments.config import payments_config

_provider = ExternalClient(lambda: payments_config().provider_url, name="payment-provider")

_SHARE = 0.9
"""Of the time that the caller gives us; the rest is for telling it that the provider was silent."""

_QUEUE_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class ChargeAnswer:
    """What the provider says of a charge. It also answers 503 while it is busy with one: then it is `pending`."""

    state: Literal["pending", "captured", "declined", "cancelled", "refunded"] = "pending"
    amount: int | None = None
    currency: str | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ListedCharge:
    """A line of the provider's list."""

    key: str
    state: str
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class _Page:
    results: list[ListedCharge]
    next: str | None = None


def charge(key: str, *, amount: int, currency: str, payment_method: str, reference: UUID) -> ChargeAnswer:
    """Take the money: `captured`, `declined`, or `cancelled` when a cancel came first.

    Raises ServiceUnavailable while the provider is down or busy with the key; it is not asked again here, since
    whoever asked us repeats anyway and must not wait in one of our few threads.
    """
    body = {"amount": amount, "currency": currency, "payment_method": payment_method, "reference": str(reference)}
    known = (402, 409, 503)
    with _asking() as timeout:
        reply = _provider.put(f"/v1/charges/{key}", body=body, into=ChargeAnswer, answers=known, timeout=timeout)
    if reply.status == 503 or reply.data.state == "pending":
        raise ServiceUnavailable("The payment provider is not ready.", service_name=_provider.target)
    return reply.data


def cancel_charge(key: str) -> ChargeAnswer:
    """Make sure nothing is, or stays, taken: `cancelled` or `refunded`."""
    with _asking() as timeout:
        return _provider.delete(f"/v1/charges/{key}", into=ChargeAnswer, timeout=timeout).data


def charge_of(key: str) -> ChargeAnswer | None:
    """What the provider knows of a charge, None when it never heard of it."""
    reply = _provider.get(f"/v1/charges/{key}", into=ChargeAnswer, answers=(404,))
    return None if reply.status == 404 else reply.data


def refund(key: str, *, refund_key: UUID, amount: int) -> bool:
    """Give back *amount* of a captured charge, once for each refund key; false when the provider refuses for good."""
    path, timeout = f"/v1/charges/{key}/refunds/{refund_key}", payments_config().provider_timeout
    reply = _provider.put(path, body={"amount": amount}, answers=(404, 409, 422), timeout=timeout)
    return reply.status < 300


def charges_since(moment: datetime) -> Iterator[list[ListedCharge]]:
    """All charges that changed at or after *moment*, page by page."""
    for page in count(1):
        params = {"since": rfc3339(moment), "page": page}
        answer = _provider.get("/v1/charges", params=params, into=_Page).data
        yield answer.results
        if answer.next is None:
            return


def register_webhook(*, url: str, secret: str) -> None:
    """Tell the provider where to send its webhooks and what to sign them with."""
    _provider.put("/v1/webhook", body={"url": url, "secret": secret})


@contextmanager
def _asking() -> Iterator[timedelta]:
    """How long the provider may take now, once there is a place among those that wait for it.

    One that hangs must not hold every thread: the probes need one, and whoever finds no place hears so at once. What it
    does not answer is said in its name, since to our caller "the service" would be payments.
    """
    config = payments_config()
    if not _places().acquire(timeout=_QUEUE_SECONDS):
        raise ServiceUnavailable("Too many payments wait for the payment provider.", service_name=_provider.target)
    try:
        yield timedelta(seconds=max(0.0, Deadline.within(config.provider_timeout).remaining * _SHARE))
    except ServiceUnavailable as error:
        raise ServiceUnavailable("The payment provider does not answer.", service_name=_provider.target) from error
    except DeadlineExceeded as error:
        raise DeadlineExceeded("The payment provider did not answer in time.", service_name=_provider.target) from error
    finally:
        _places().release()


@cache
def _places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(payments_config().provider_calls)
