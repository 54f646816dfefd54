"""What orders asks of payments, by key. Plain views: this is the hot path.

A payment's own flow: an intent is committed, the provider is asked, the outcome is committed. Whoever dies in between
is healed by asking again with the same key: the caller's repeat, or the reconciliation.
"""

import re
from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from msgspec import Meta

from bandstand.errors import NotFound, PaymentDeclined, ValidationFailed
from bandstand.web.internal import Body, internal_route, read_json, reply
from payments import clients, commands, queries
from payments.errors import PaymentCancelled
from payments.models import Payment, State

_KEY = re.compile(r"[A-Za-z0-9._:-]{8,255}")


class Capture(Body, frozen=True):
    """Take this from that user for that order."""

    order_id: UUID
    user_id: UUID
    amount: Annotated[int, Meta(ge=1, le=2**53)]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3)]
    payment_method: Annotated[str, Meta(min_length=1, max_length=64)]


def put_payment(request: HttpRequest, key: str) -> HttpResponse:
    """Capture once: 201, 402 declined, 409 cancelled; anything else is unknown to the caller, who asks again."""
    wanted = read_json(request, into=Capture)
    charge = commands.Charge(
        order_id=wanted.order_id, user_id=wanted.user_id, amount_minor=wanted.amount, currency=wanted.currency
    )
    payment = commands.intend_payment(key=_checked(key), charge=charge)
    if not payment.is_settled:
        payment = _capture(payment, charge=charge, payment_method=wanted.payment_method)
    if payment.state == State.DECLINED:
        raise PaymentDeclined(reason=payment.reason)
    if payment.state != State.CAPTURED or payment.cancel_requested:
        raise PaymentCancelled
    return reply(_present(payment), status=201)


def delete_payment(request: HttpRequest, key: str) -> HttpResponse:  # noqa: ARG001 - the signature of a handler
    """Cancel or refund, also before the payment came: `{state: "cancelled"|"refunded"}` once that is certain."""
    payment = commands.intend_cancel(key=_checked(key))
    if payment.state not in (State.CANCELLED, State.REFUNDED, State.DECLINED):
        payment = _cancel(payment)
    return reply({"state": "refunded" if payment.state == State.REFUNDED else "cancelled"})


def get_payment(request: HttpRequest, key: str) -> HttpResponse:  # noqa: ARG001 - the signature of a handler
    """What is known of the key."""
    payment = queries.payment_of(_checked(key))
    if payment is None:
        raise NotFound
    return reply(_present(payment))


def _capture(payment: Payment, *, charge: commands.Charge, payment_method: str) -> Payment:
    """Ask the provider for the money of an unsettled *payment*. Whatever this raises leaves the outcome unknown."""
    answer = clients.charge(
        payment.key,
        amount=charge.amount_minor,
        currency=charge.currency,
        payment_method=payment_method,
        reference=charge.order_id,
    )
    if answer.state == "captured":
        return commands.record_capture(key=payment.key, amount_minor=answer.amount, currency=answer.currency)
    if answer.state == "declined":
        return commands.record_decline(key=payment.key, reason=answer.reason)
    return commands.record_cancel(key=payment.key, refunded=answer.state == "refunded")  # undone at the provider itself


def _cancel(payment: Payment) -> Payment:
    """Have the provider confirm that nothing is, or stays, taken. What it raises leaves the cancel open."""
    answer = clients.cancel_charge(payment.key)
    return commands.record_cancel(key=payment.key, refunded=answer.state == "refunded")


def _present(payment: Payment) -> dict[str, object]:
    return {
        "key": payment.key,
        "state": payment.state,
        "order_id": payment.order_id,
        "amount": payment.amount_minor,
        "currency": payment.currency,
    }


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise ValidationFailed(field_errors={"key": ["Expected 8-255 of A-Z a-z 0-9 . _ : -"]})
    return key


payment_view = internal_route({"PUT": put_payment, "DELETE": delete_payment, "GET": get_payment}, callers={"orders"})
