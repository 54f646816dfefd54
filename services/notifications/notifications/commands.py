"""Writes of the notifications service."""

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from bandstand import clock
from bandstand.database.statements import Statement, insert_absent
from notifications import queries
from notifications.models import Kind, Mail

_LONGEST_WAIT = timedelta(minutes=10)
_SENT = Statement(Mail, "UPDATE {table} SET sent_at = %s, error = '' WHERE id = %s")


def write_mail(*, event_id: UUID, user_id: UUID, kind: Kind, subject: str, text: str) -> None:
    """Write the mail an event calls for, once; it is sent when the transaction has committed."""
    mail = Mail(event_id=event_id, user_id=user_id, kind=kind, subject=subject, text=text)
    insert_absent(mail)


def claim_mails(*, limit: int, lease: timedelta) -> list[Mail]:
    """Reserve up to *limit* unsent mails for *lease*, oldest first; one whose lease runs out is claimed again.

    A mail whose address is not known yet is not due: it waits for the event that brings the address.
    """
    now = clock.database_now()
    if not queries.due_mails(now).exists():  # a look takes no write lock
        return []
    with transaction.atomic():
        mails = list(queries.due_mails(now).select_for_update(skip_locked=True).order_by("next_at", "pk")[:limit])
        claimed = Mail.objects.filter(pk__in=[mail.pk for mail in mails])
        claimed.update(attempts=F("attempts") + 1, next_at=now + lease)
    for mail in mails:
        mail.attempts += 1
    return mails


@transaction.atomic
def record_sent(*, mail_id: UUID) -> None:
    """Note that a mail was handed over."""
    _SENT.run(clock.now(), mail_id)


@transaction.atomic
def record_unsent(*, mail: Mail, error: str) -> None:
    """Note that a mail could not be handed over, and when to try again: 2, 4, 8 … seconds later, at most 10 minutes."""
    wait = min(timedelta(seconds=2 ** min(mail.attempts, 10)), _LONGEST_WAIT)
    unsent = Mail.objects.filter(pk=mail.pk, sent_at__isnull=True)
    unsent.update(error=error[:200], next_at=clock.database_now() + wait)
