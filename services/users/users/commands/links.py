"""Secret links: made while a mail is sent, stored nowhere, worthless once used or once what they change has changed."""

from datetime import timedelta
from uuid import UUID

from django.core import signing
from django.db import transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from bandstand import clock
from users import queries
from users.commands.accounts import set_password
from users.config import users_config
from users.errors import LinkRefused
from users.models import LinkMail, User

_LEASE = timedelta(seconds=30)


def link_token(user: User, *, purpose: str) -> str:
    """A token for one purpose, bound to the user's present state: what it does makes it worthless."""
    expires = int((clock.now() + users_config().link_lifetime).timestamp())
    return _signer(purpose).sign_object([str(user.pk), expires, _state(user, purpose=purpose)])


def verify_user(*, token: str) -> None:
    """Mark the address as verified. Raises LinkRefused."""
    user = _user_of(token, purpose=LinkMail.Purpose.VERIFY)
    with transaction.atomic():
        unverified = User.objects.filter(pk=user.pk, is_verified=False, is_active=True)
        if not unverified.update(is_verified=True, updated_at=clock.now()):
            raise LinkRefused


def request_reset(*, email: str) -> None:
    """Have a reset link mailed. Whether somebody has the address is asked when the mail is sent, not here."""
    with transaction.atomic():
        LinkMail.objects.create(email=email, purpose=LinkMail.Purpose.RESET)


def reset_password(*, token: str, new_password: str) -> None:
    """Set a new password by a mailed link; every session ends. Raises LinkRefused, ValidationFailed."""
    user = _user_of(token, purpose=LinkMail.Purpose.RESET)
    set_password(judged=user, password=new_password, refusal=LinkRefused())


def claim_link_mails(*, limit: int) -> list[LinkMail]:
    """Reserve mails that are due; one whose sender died, or failed, is claimed again after 30, 60, 120 … seconds."""
    now = clock.database_now()
    if not LinkMail.objects.filter(next_at__lte=now).exists():  # a look takes no write lock
        return []
    with transaction.atomic():
        due = LinkMail.objects.select_for_update(skip_locked=True).filter(next_at__lte=now)
        mails = list(due.order_by("next_at")[:limit])
        for mail in mails:
            wait = _LEASE * 2 ** min(mail.attempts, 6)
            LinkMail.objects.filter(pk=mail.pk).update(attempts=F("attempts") + 1, next_at=now + wait)
            mail.attempts += 1
    return mails


@transaction.atomic
def settle_link_mail(*, mail_id: UUID) -> None:
    """Forget a mail that was handed over, or that nobody shall get."""
    LinkMail.objects.filter(pk=mail_id).delete()


def _user_of(token: str, *, purpose: str) -> User:
    try:
        user_id, expires, state = _signer(purpose).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise LinkRefused from error
    user = queries.user(UUID(user_id)) if clock.now().timestamp() < expires else None
    if user is None or not user.is_active or _state(user, purpose=purpose) != state:
        raise LinkRefused
    return user


def _signer(purpose: str) -> signing.Signer:
    return signing.Signer(salt=f"users.{purpose}")


def _state(user: User, *, purpose: str) -> str:
    """What using the link changes, hashed: the password for a reset, being verified for a verification."""
    changed = user.password if purpose == LinkMail.Purpose.RESET else user.is_verified
    return salted_hmac(f"users.{purpose}", f"{user.email}:{changed}", algorithm="sha256").hexdigest()[:32]
