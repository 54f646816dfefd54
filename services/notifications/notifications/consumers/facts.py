"""Events that call for a mail."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from bandstand.events import Envelope, Event, consumer
from notifications import commands
from notifications.consumers.mailer import mail_written
from notifications.models import Kind


class UserRegistered(Event, name="users.user_registered.v1"):
    """Somebody has joined."""

    user_id: UUID
    username: str


@dataclass(frozen=True, kw_only=True)
class Total:
    """Money: integer minor units and their currency."""

    amount: int
    currency: str

    def __str__(self) -> str:
        """As people write it."""
        units = Decimal(self.amount).scaleb(-_MINOR_DIGITS.get(self.currency, 2))
        return f"{units:f} {self.currency}"


class OrderConfirmed(Event, name="orders.order_confirmed.v1"):
    """An order went through."""

    order_id: UUID
    user_id: UUID
    total: Total


class OrderRejected(Event, name="orders.order_rejected.v1"):
    """An order did not go through."""

    order_id: UUID
    user_id: UUID
    reason: str


_MINOR_DIGITS = dict.fromkeys(
    ("BIF", "CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"), 0
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
"""ISO 4217 currencies whose unit has not a hundred parts."""

_REASONS = {
    "insufficient_stock": "we do not have enough of what you ordered",
    "payment_declined": "your payment was declined",
}


@consumer(UserRegistered)
def welcome(event: UserRegistered, envelope: Envelope) -> None:
    """Write the welcome."""
    subject, text = "Welcome to the shop", f"Hello {event.username},\n\nyour account is ready.\n"
    _write(envelope, user_id=event.user_id, kind=Kind.WELCOME, subject=subject, text=text)


@consumer(OrderConfirmed)
def tell_confirmation(event: OrderConfirmed, envelope: Envelope) -> None:
    """Write the confirmation; it can never roll the order back."""
    text = f"Thank you. Your order {event.order_id} over {event.total} is confirmed.\n"
    _write(envelope, user_id=event.user_id, kind=Kind.ORDER_CONFIRMED, subject="Your order is confirmed", text=text)


@consumer(OrderRejected)
def tell_rejection(event: OrderRejected, envelope: Envelope) -> None:
    """Write why the order did not go through."""
    why = _REASONS.get(event.reason, "it could not be processed")
    text = f"Your order {event.order_id} was not accepted: {why}. Nothing was charged.\n"
    _write(envelope, user_id=event.user_id, kind=Kind.ORDER_REJECTED, subject="Your order was not accepted", text=text)


def _write(envelope: Envelope, *, user_id: UUID, kind: Kind, subject: str, text: str) -> None:
    commands.write_mail(event_id=envelope.id, user_id=user_id, kind=kind, subject=subject, text=text)
    transaction.on_commit(mail_written.set)
