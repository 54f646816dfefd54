"""Reads of the users service."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from bandstand.database.statements import Statement
from users.models import User, UserProfile

# Every order asks for a user: composing the query anew would cost more than all the rest of the answer.
_USER = Statement(User, "SELECT {columns} FROM {table} WHERE id = %s AND deleted_at IS NULL")


def users() -> "QuerySet[User]":
    """Everybody who has not been deleted, newest first."""
    return User.objects.filter(deleted_at__isnull=True)


def search(text: str) -> "QuerySet[User]":
    """People whose name or address contains *text*, in whatever case."""
    matches = (
        Q(username__icontains=text)
        | Q(email__icontains=text)
        | Q(first_name__icontains=text)
        | Q(last_name__icontains=text)
    )
    return users().filter(matches)


def user(user_id: UUID) -> User | None:
    """One person, or None."""
    return _USER.first(user_id)


def user_by_email(email: str) -> User | None:
    """The person with this address in whatever case, or None."""
    return users().alias(address=Lower("email")).filter(address=email.lower()).first()


def has_address(email: str) -> bool:
    """Whether an account, even a deleted one, has this address in whatever case."""
    return User.objects.alias(address=Lower("email")).filter(address=email.lower()).exists()


def profile(user_id: UUID) -> UserProfile | None:
    """One person's profile, or None."""
    return UserProfile.objects.filter(user_id=user_id, user__deleted_at__isnull=True).first()
