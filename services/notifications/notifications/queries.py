"""Reads of the notifications service."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from notifications.models import Mail, Recipient


def mails(*, of_user: UUID | None = None) -> "QuerySet[Mail]":
    """Mails newest first, of one user or of all."""
    return Mail.objects.all() if of_user is None else Mail.objects.filter(user_id=of_user)


def due_mails(now: datetime) -> "QuerySet[Mail]":
    """Unsent mails whose time has come and whose recipient's address is known."""
    known = Exists(Recipient.objects.filter(user_id=OuterRef("user_id")))
    return Mail.objects.filter(known, sent_at__isnull=True, next_at__lte=now)


def addresses(user_ids: Collection[UUID]) -> dict[UUID, str]:
    """The known addresses of these users."""
    return dict(Recipient.objects.filter(user_id__in=user_ids).values_list("user_id", "email"))
