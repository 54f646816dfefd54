"""Reads of the notifications service."""

from uuid import UUID

from django.db.models import QuerySet

from notifications.models import Mail, Recipient


def mails(*, of_user: UUID | None = None) -> "QuerySet[Mail]":
    """Mails newest first, of one user or of all."""
    return Mail.objects.all() if of_user is None else Mail.objects.filter(user_id=of_user)


def addresses(user_ids: list[UUID]) -> dict[UUID, str]:
    """The known addresses of these users."""
    return dict(Recipient.objects.filter(user_id__in=user_ids).values_list("user_id", "email"))
