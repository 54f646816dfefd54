"""Writes of the notifications service."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from bandstand import clock
from notifications.models import Kind, Mail, Recipient

_LONGEST_WAIT = timedelta(minutes=10)


@transaction.atomic
def learn_recipient(*, user_id: UUID, email: str, username: str, sequence: int) -> None:
    """Take over a user's address unless something newer is known."""
    known = Recipient.objects.select_for_update().filter(user_id=user_id).first()
    if known is not None and known.sequence >= sequence:
        return
    values = {"email": email, "username": username, "sequence": sequence}
    Recipient.objects.update_or_create(user_id=user_id, defaults=values)


def write_mail(*, event_id: UUID, user_id: UUID, kind: Kind, subject: str, text: str) -> None:
    """Write the mail an event calls for, once; it is sent when the transaction has committed."""
    Mail.objects.get_or_create(
        event_id=event_id, defaults={"user_id": user_id, "kind": kind, "subject": subject, "text": text}
    )


@transaction.atomic
def claim_mails(*, limit: int, lease: timedelta) -> list[Mail]:
    """Reserve up to *limit* unsent mails for *lease*, oldest first; one whose lease runs out is claimed again."""
    now = clock.database_now()
    due = Mail.objects.select_for_update(skip_locked=True).filter(sent_at__isnull=True, next_at__lte=now)
    mails = list(due.order_by("next_at")[:limit])
    Mail.objects.filter(pk__in=[mail.pk for mail in mails]).update(attempts=F("attempts") + 1, next_at=now + lease)
    return mails


@transaction.atomic
def record_sent(*, mail_ids: Collection[UUID]) -> None:
    """Note that the mails were handed over."""
    Mail.objects.filter(pk__in=list(mail_ids)).update(sent_at=clock.now(), error="")


@transaction.atomic
def record_unsent(*, mail: Mail, error: str) -> None:
    """Note that a mail could not be handed over, and when to try again: 2, 4, 8 … seconds later."""
    wait = min(timedelta(seconds=2 ** min(mail.attempts + 1, 10)), _LONGEST_WAIT)
    Mail.objects.filter(pk=mail.pk).update(error=error[:200], next_at=clock.database_now() + wait)
