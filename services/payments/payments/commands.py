"""Writes of the payments service. The provider is asked between an intent and its outcome, never inside one."""

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Sum

from bandstand import clock
from bandstand.errors import NotFound
from bandstand.events import publish
from payments import events
from payments.errors import DifferentPayment, PaymentCancelled, RefundExceedsPayment
from payments.models import Payment, ProviderWebhook, Refund, State


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
    payment, _ = Payment.objects.select_for_update().get_or_create(
        key=key,
        defaults={
            "order_id": charge.order_id,
            "user_id": charge.user_id,
            "amount_minor": charge.amount_minor,
            "currency": charge.currency,
        },
    )
    if payment.cancel_requested:
        raise PaymentCancelled
    if (payment.order_id, payment.user_id, payment.amount_minor, payment.currency) != (
        charge.order_id,
        charge.user_id,
        charge.amount_minor,
        charge.currency,
    ):
        raise DifferentPayment
    return payment


@transaction.atomic
def record_capture(*, key: str) -> Payment:
    """Note that the provider took the money, unless the payment is being cancelled: the cancel then settles it."""
    payment = _locked(key)
    if payment.is_settled or payment.cancel_requested:
        return payment
    _settle(payment, state=State.CAPTURED)
    order_id, amount = _complete(payment)
    publish(events.PaymentCaptured(key=key, order_id=order_id, amount=amount, currency=payment.currency))
    return payment


@transaction.atomic
def record_decline(*, key: str, reason: str) -> Payment:
    """Note that the provider refused."""
    payment = _locked(key)
    if payment.is_settled or payment.cancel_requested:
        return payment
    _settle(payment, state=State.DECLINED, reason=reason)
    order_id, _ = _complete(payment)
    publish(events.PaymentDeclined(key=key, order_id=order_id, reason=reason))
    return payment


@transaction.atomic
def intend_cancel(*, key: str) -> Payment:
    """Note that nothing may be, or stay, taken under *key*; a payment that comes later is refused."""
    payment, created = Payment.objects.select_for_update().get_or_create(key=key, defaults={"cancel_requested": True})
    if not created and not payment.cancel_requested:
        payment.cancel_requested, payment.updated_at = True, clock.now()
        payment.save(update_fields=["cancel_requested", "updated_at"])
    return payment


@transaction.atomic
def record_cancel(*, key: str, refunded: bool) -> Payment:
    """Note that the provider confirmed the cancel; *refunded* says that money had been taken and was given back."""
    payment = _locked(key)
    if payment.state in (State.CANCELLED, State.REFUNDED, State.DECLINED):
        return payment
    _settle(payment, state=State.REFUNDED if refunded and payment.order_id else State.CANCELLED)
    if payment.state == State.REFUNDED:
        order_id, amount = _complete(payment)
        publish(events.PaymentRefunded(key=key, order_id=order_id, amount=amount - payment.refunded_minor))
    return payment


@transaction.atomic
def intend_refund(*, payment_id: UUID, amount_minor: int | None, request_key: str | None) -> Refund:
    """Set aside what is to be given back: *amount_minor*, or all that is left. The same *request_key* is one refund.

    Raises RefundExceedsPayment.
    """
    payment = Payment.objects.select_for_update().filter(pk=payment_id, order_id__isnull=False).first()
    if payment is None:
        raise NotFound
    if request_key is not None:
        known = payment.refunds.filter(request_key=request_key).first()
        if known is not None:
            return known
    set_aside = payment.refunds.aggregate(total=Sum("amount_minor"))["total"] or 0
    left = payment.amount_minor - set_aside if payment.state == State.CAPTURED else 0
    wanted = left if amount_minor is None else amount_minor
    if not 0 < wanted <= left:
        raise RefundExceedsPayment(refundable=left)
    return payment.refunds.create(amount_minor=wanted, request_key=request_key)


@transaction.atomic
def record_refund(*, refund_id: UUID) -> Refund:
    """Note that the provider gave the money back. Idempotent."""
    refund = Refund.objects.select_for_update().select_related("payment").get(pk=refund_id)
    if refund.is_done:
        return refund
    refund.is_done = True
    refund.save(update_fields=["is_done"])
    payment = refund.payment
    Payment.objects.filter(pk=payment.pk).update(
        refunded_minor=F("refunded_minor") + refund.amount_minor, updated_at=clock.now()
    )
    order_id, _ = _complete(payment)
    publish(events.PaymentRefunded(key=payment.key, order_id=order_id, amount=refund.amount_minor))
    return refund


def remember_webhook(*, webhook_id: str) -> bool:
    """Note a webhook; false when it was noted before. To be called in the transaction of its effect."""
    try:
        with transaction.atomic():
            ProviderWebhook.objects.create(id=webhook_id)
    except IntegrityError:
        return False
    return True


@transaction.atomic
def take_in_capture(*, webhook_id: str, key: str, amount_minor: int, currency: str) -> bool:
    """Apply the provider's word that *key* was captured, once. False when it does not fit what was asked for."""
    payment = Payment.objects.select_for_update().filter(key=key).first()
    if payment is None or (payment.order_id and (payment.amount_minor, payment.currency) != (amount_minor, currency)):
        return False
    if remember_webhook(webhook_id=webhook_id):
        record_capture(key=key)
    return True


def _locked(key: str) -> Payment:
    payment = Payment.objects.select_for_update().filter(key=key).first()
    if payment is None:
        raise NotFound
    return payment


def _settle(payment: Payment, *, state: State, reason: str = "") -> None:
    payment.state, payment.reason, payment.updated_at = state, reason[:64], clock.now()
    payment.save(update_fields=["state", "reason", "updated_at"])


def _complete(payment: Payment) -> tuple[UUID, int]:
    if payment.order_id is None:
        raise LookupError(f"the payment {payment.key} is a tombstone")
    return payment.order_id, payment.amount_minor
