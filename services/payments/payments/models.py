"""Tables of the payments service: payments by key, refunds, and how far the provider's books were compared."""

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
    """One key. A cancel that comes before its payment leaves a tombstone: cancelled, without order and amount.

    `cancel_requested` bars a pending or captured payment while the provider is asked to undo it. `open_since` is set
    while the provider's word is missing. `refunded_minor` counts what staff gave back; a saga's cancel after the
    capture is the state `refunded`.
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
    open_since = models.DateTimeField(null=True, blank=True, default=clock.now)
    refunded_minor = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["user_id", "-created_at", "-id"], name="payment_of_user"),
            models.Index(fields=["-created_at", "-id"], name="payment_newest"),
            # Not `state="pending"`: SQLite does not see that a bound parameter fits such a condition.
            models.Index(fields=["open_since"], name="payment_open", condition=Q(open_since__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="payment_state_known"),
            models.CheckConstraint(
                condition=Q(order_id__isnull=False, user_id__isnull=False, amount_minor__gt=0)
                | Q(order_id__isnull=True, amount_minor=0, cancel_requested=True, state="cancelled"),
                name="payment_complete_or_tombstone",
            ),
            models.CheckConstraint(
                condition=Q(open_since__isnull=False, state="pending")
                | Q(open_since__isnull=False, state="captured", cancel_requested=True)
                | Q(open_since__isnull=True, state="captured", cancel_requested=False)
                | Q(open_since__isnull=True, state__in=["declined", "cancelled", "refunded"]),
                name="payment_open_until_settled",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
                name="payment_refund_within_amount",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def is_settled(self) -> bool:
        """Whether the payment has reached a final state."""
        return self.state != State.PENDING

    @property
    def given_back_minor(self) -> int:
        """What the payer has back, whoever gave it."""
        return self.amount_minor if self.state == State.REFUNDED else self.refunded_minor


class RefundState(models.TextChoices):
    """Where a refund stands; all but `open` are final."""

    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"


class Refund(models.Model):
    """Money given back by staff; the id is the provider's refund key, so a repeat is one refund."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField()
    request_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique only where given
    state = models.CharField(max_length=8, choices=RefundState.choices, default=RefundState.OPEN)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["created_at"], name="refund_open", condition=Q(state="open"))]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=RefundState.values), name="refund_state_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_positive"),
            models.UniqueConstraint(fields=["payment", "request_key"], name="refund_once_per_request"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Comparison(models.Model):
    """One row: up to which moment of the provider's clock its charges were compared with our payments."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    until = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="comparison_single")]
