"""Secret links: made while a mail is sent, stored nowhere, worthless once used or once the password has changed."""

import hashlib
from datetime import timedelta
from uuid import UUID

from django.core import signing
from django.db import transaction
from django.db.models import F

from bandstand import clock
from users import queries
from users.commands.accounts import set_password
from users.config import users_config
from users.errors import LinkRefused
from users.models import LinkMail, User

_LEASE = timedelta(seconds=30)


def link_token(user: User, *, purpose: str) -> str:
    """A token for one purpose, bound to the user's present state: what it does makes it worthless."""
    return signing.dumps([str(user.pk), _state(user)], salt=f"users.{purpose}")


def verify_user(*, token: str) -> None:
    """Mark the address as verified. Raises LinkRefused."""
    user = _user_of(token, purpose=LinkMail.Purpose.VERIFY)
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_verified=True, updated_at=clock.now())


def request_reset(*, email: str) -> None:
    """Have a reset link mailed, if somebody active has this address. Says nothing either way."""
    user = queries.user_by_email(email)
    if user is None or not user.is_active:
        return
    with transaction.atomic():
        LinkMail.objects.create(user=user, purpose=LinkMail.Purpose.RESET)


def reset_password(*, token: str, new_password: str) -> None:
    """Set a new password by a mailed link; every session ends. Raises LinkRefused, ValidationFailed."""
    user = _user_of(token, purpose=LinkMail.Purpose.RESET)
    set_password(user_id=user.pk, password=new_password)


@transaction.atomic
def claim_link_mails(*, limit: int) -> list[LinkMail]:
    """Reserve mails that are due; one whose sender died is claimed again after the lease."""
    now = clock.database_now()
    due = LinkMail.objects.select_for_update(skip_locked=True, of=("self",)).select_related("user")
    mails = list(due.filter(next_at__lte=now).order_by("next_at")[:limit])
    waits = {mail.pk: _LEASE * 2 ** min(mail.attempts, 6) for mail in mails}
    for mail in mails:
        LinkMail.objects.filter(pk=mail.pk).update(attempts=F("attempts") + 1, next_at=now + waits[mail.pk])
    return mails


@transaction.atomic
def settle_link_mail(*, mail_id: UUID) -> None:
    """Forget a mail that was handed over."""
    LinkMail.objects.filter(pk=mail_id).delete()


def _user_of(token: str, *, purpose: str) -> User:
    try:
        user_id, state = signing.loads(token, salt=f"users.{purpose}", max_age=users_config().link_lifetime)
        user = queries.user(UUID(user_id))
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise LinkRefused from error
    if user is None or not user.is_active or _state(user) != state:
        raise LinkRefused
    return user


def _state(user: User) -> str:
    text = f"{user.password}:{user.is_verified}:{user.email}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
