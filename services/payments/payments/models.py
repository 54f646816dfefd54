"""Tables of the payments service: payments by key, refunds, webhooks already seen."""

from django.db import models
from django.db.models import F, Q

from bandstand import clock


class State(models.TextChoices):
    """Where a payment stands; all but `pending` are final."""

    PENDING = "pending"
    CAPTURED = "captured"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Payment(models.Model):
    """One key. A cancel that comes before its payment leaves a tombstone: no order, no amount, `cancel_requested`.

    `refunded_minor` counts what staff gave back; a saga's cancel after the capture is the state `refunded`.
    """

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    key = models.CharField(max_length=255, unique=True)
    order_id = models.UUIDField(null=True, blank=True)
    user_id = models.UUIDField(null=True, blank=True)
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="", blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=64, default="", blank=True)
    cancel_requested = models.BooleanField(default=False)
    refunded_minor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["user_id", "-created_at", "-id"], name="payment_of_user"),
            models.Index(fields=["-created_at", "-id"], name="payment_newest"),
            models.Index(fields=["updated_at"], name="payment_unsettled", condition=Q(state="pending")),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="payment_state_known"),
            models.CheckConstraint(
                condition=Q(order_id__isnull=False, user_id__isnull=False, amount_minor__gt=0)
                | Q(order_id__isnull=True, amount_minor=0, cancel_requested=True, state__in=["pending", "cancelled"]),
                name="payment_complete_or_tombstone",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="payment_refund_within_amount",
            ),
        ]

    @property
    def is_settled(self) -> bool:
        """Whether the payment has reached a final state."""
        return self.state != State.PENDING


class Refund(models.Model):
    """Money given back by staff; the id is the provider's refund key, so a repeat is one refund."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    request_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique only where given
    is_done = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["created_at"], name="refund_open", condition=Q(is_done=False))]
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_positive"),
            models.UniqueConstraint(fields=["payment", "request_key"], name="refund_once_per_request"),
        ]


class ProviderWebhook(models.Model):
    """A webhook that was taken in; its id makes a repeat harmless."""

    id = models.CharField(primary_key=True, max_length=255)
    received_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [models.Index(fields=["received_at"], name="webhook_received")]
