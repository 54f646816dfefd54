"""Writes of the payments service. The provider is asked between an intent and its outcome, never inside one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F, Sum

from bandstand import clock
from bandstand.database.statements import Statement, insert_absent, update
from bandstand.errors import NotFound
from bandstand.events import publish
from payments import events
from payments.errors import CaptureDiffers, DifferentPayment, DifferentRefund, PaymentCancelled, RefundExceedsPayment
from payments.models import Comparison, Payment, Refund, RefundState, State


@dataclass(frozen=True, kw_only=True)
class Charge:
    """What is to be taken, for which order of whom."""

    order_id: UUID
    user_id: UUID
    amount_minor: int
    currency: str


@transaction.atomic
def intend_payment(*, key: str, charge: Charge) -> Payment:
    """Note that *charge* is to be taken under *key*, or find what is known of the key.

    Raises PaymentCancelled for a key that was cancelled, DifferentPayment for one in use for something else.
    """
    wanted = Payment(
        key=key,
        order_id=charge.order_id,
        user_id=charge.user_id,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
    )
    payment = _first_under(wanted)
    if payment.cancel_requested:
        raise PaymentCancelled
    if any(getattr(payment, name) != getattr(charge, name) for name in Charge.__dataclass_fields__):
        raise DifferentPayment
    return payment


@transaction.atomic
def record_capture(*, key: str, amount_minor: int | None, currency: str | None) -> Payment:
    """Note that the provider took the money, unless the payment is being cancelled: the cancel then settles it.

    Raises CaptureDiffers when that is not the money that was asked for.
    """
    payment, is_moved = _settled_unless_cancelled(key, state=State.CAPTURED)
    if (payment.amount_minor, payment.currency) != (amount_minor, currency):
        raise CaptureDiffers(key=key)
    if is_moved:
        order_id, amount = _complete(payment)
        publish(events.PaymentCaptured(key=key, order_id=order_id, amount=amount, currency=payment.currency))
    return payment


@transaction.atomic
def record_decline(*, key: str, reason: str) -> Payment:
    """Note that the provider refused, unless the payment is being cancelled."""
    payment, is_moved = _settled_unless_cancelled(key, state=State.DECLINED, reason=reason)
    if is_moved:
        order_id, _ = _complete(payment)
        publish(events.PaymentDeclined(key=key, order_id=order_id, reason=payment.reason))
    return payment


@transaction.atomic
def intend_cancel(*, key: str) -> Payment:
    """Note that nothing may be, or stay, taken under *key*; a payment that comes later is refused.

    What never came is cancelled with that. What came has to be undone at the provider, unless it was declined.
    """
    payment = _first_under(Payment(key=key, cancel_requested=True, state=State.CANCELLED, open_since=None))
    if payment.state in (State.PENDING, State.CAPTURED) and not payment.cancel_requested:
        payment.cancel_requested, payment.updated_at = True, clock.now()
        payment.open_since = payment.updated_at
        update(payment, ["cancel_requested", "open_since", "updated_at"])
    return payment


@transaction.atomic
def record_cancel(*, key: str, refunded: bool) -> Payment:
    """Note that the provider confirmed the cancel; *refunded* says that money had been taken and was given back."""
    payment = _locked(key)
    if payment.state in (State.CANCELLED, State.REFUNDED, State.DECLINED):
        return payment
    _settle(payment, state=State.REFUNDED if refunded else State.CANCELLED)
    if refunded:
        order_id, amount = _complete(payment)
        publish(events.PaymentRefunded(key=key, order_id=order_id, amount=amount - payment.refunded_minor))
    return payment


@transaction.atomic
def intend_refund(*, payment_id: UUID, amount_minor: int | None, request_key: str | None) -> Refund:
    """Set aside what is to be given back: *amount_minor*, or all that is left. The same *request_key* is one refund.

    Raises NotFound, RefundExceedsPayment, and DifferentRefund for a request key in use for another amount.
    """
    payment = Payment.objects.select_for_update().filter(pk=payment_id, order_id__isnull=False).first()
    if payment is None:
        raise NotFound
    known = payment.refunds.filter(request_key=request_key).first() if request_key else None
    if known is not None:
        if amount_minor not in (None, known.amount_minor):
            raise DifferentRefund
        return known
    set_aside = payment.refunds.exclude(state=RefundState.REFUSED).aggregate(total=Sum("amount_minor"))["total"] or 0
    is_refundable = payment.state == State.CAPTURED and not payment.cancel_requested
    left = payment.amount_minor - set_aside if is_refundable else 0
    wanted = left if amount_minor is None else amount_minor
    if not 0 < wanted <= left:
        raise RefundExceedsPayment(refundable=left)
    return payment.refunds.create(amount_minor=wanted, request_key=request_key)


@transaction.atomic
def record_refund(*, refund_id: UUID) -> Refund:
    """Note that the provider gave the money back. Idempotent."""
    refund = Refund.objects.select_for_update().select_related("payment").get(pk=refund_id)
    if refund.state != RefundState.OPEN:
        return refund
    refund.state = RefundState.DONE
    refund.save(update_fields=["state"])
    payment = refund.payment
    Payment.objects.filter(pk=payment.pk).update(
        refunded_minor=F("refunded_minor") + refund.amount_minor, updated_at=clock.now()
    )
    order_id, _ = _complete(payment)
    publish(events.PaymentRefunded(key=payment.key, order_id=order_id, amount=refund.amount_minor))
    return refund


def refuse_refund(*, refund_id: UUID) -> None:
    """Note that the provider will not give the money back: what was set aside is free again. Idempotent."""
    Refund.objects.filter(pk=refund_id, state=RefundState.OPEN).update(state=RefundState.REFUSED)


def note_comparison(*, until: datetime) -> None:
    """Note up to which moment of the provider's clock our books were compared."""
    Comparison.objects.update_or_create(pk=1, defaults={"until": until})


def _first_under(wanted: Payment) -> Payment:
    """Insert *wanted* unless its key is known; returns the row that stands, locked when it was there before."""
    return wanted if insert_absent(wanted) else _locked(wanted.key)  # the unique key decides a race


# Every order pays for these several times, and the ORM would compose them anew each time.
_LOCKED = Statement(Payment, "SELECT {columns} FROM {table} WHERE key = %s {lock}")


def _locked(key: str) -> Payment:
    payment = _LOCKED.first(key)
    if payment is None:
        raise NotFound
    return payment


def _settled_unless_cancelled(key: str, *, state: State, reason: str = "") -> tuple[Payment, bool]:
    payment = _locked(key)
    is_open = not payment.is_settled and not payment.cancel_requested
    if is_open:
        _settle(payment, state=state, reason=reason)
    return payment, is_open


def _settle(payment: Payment, *, state: State, reason: str = "") -> None:
    payment.state, payment.reason = state, reason[:64]
    payment.open_since, payment.updated_at = None, clock.now()
    update(payment, ["state", "reason", "open_since", "updated_at"])


def _complete(payment: Payment) -> tuple[UUID, int]:
    if payment.order_id is None:
        raise LookupError(f"the payment {payment.key} is a tombstone")
    return payment.order_id, payment.amount_minor
