"""The facts payments publishes."""

from uuid import UUID

from bandstand.events import Event


class PaymentCaptured(Event, name="payments.payment_captured.v1", subject="key"):
    """Money was taken."""

    key: str
    order_id: UUID
    amount: int
    currency: str


class PaymentDeclined(Event, name="payments.payment_declined.v1", subject="key"):
    """The provider refused; nothing was taken."""

    key: str
    order_id: UUID
    reason: str


class PaymentRefunded(Event, name="payments.payment_refunded.v1", subject="key"):
    """Money was given back."""

    key: str
    order_id: UUID
    amount: int
