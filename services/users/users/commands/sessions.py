"""Sign-in, refresh, sign-out. A refresh token is spent once; used again later, it ends its whole family."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from bandstand import clock
from bandstand.auth import issue_access_token, revoked_until
from bandstand.events import publish
from users import events, queries
from users.config import users_config
from users.errors import RefreshRefused, WrongCredentials
from users.models import RefreshToken, Session, User


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a sign-in gives."""

    access: str
    refresh: str
    user: User


def log_in(*, email: str, password: str) -> Tokens:
    """Open a session. Raises WrongCredentials, the same and after the same work in every case.

    Hashing takes its time before the transaction, so that no lock is held meanwhile.
    """
    user = queries.user_by_email(email)
    if user is None:
        make_password(password)  # the same work as a check, so that time does not tell who is registered
        raise WrongCredentials
    if not user.check_password(password) or not user.is_active:
        raise WrongCredentials
    return _open_session(user)


@transaction.atomic
def _open_session(user: User) -> Tokens:
    session = Session.objects.create(user=user, expires_at=clock.now() + users_config().session_lifetime)
    token = urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    RefreshToken.objects.create(digest=_digest(token), session=session)
    return _tokens(session, token)


def refresh(*, token: str) -> Tokens:
    """Spend a refresh token for its successor and a new access token.

    A repeat within the grace gets the same successor: the answer was lost. A later one means that somebody else has the
    token: the session ends. Raises RefreshRefused.
    """
    with transaction.atomic():
        tokens = _spend(token)
    if tokens is None:  # the end of the session is committed before the refusal
        raise RefreshRefused
    return tokens


def _spend(token: str) -> Tokens | None:
    now = clock.now()
    found = RefreshToken.objects.select_for_update().select_related("session__user").filter(digest=_digest(token))
    known = found.first()
    if known is None or known.session.ended_at is not None or known.session.expires_at <= now:
        return None
    session = known.session
    if not session.user.is_active:
        return None
    successor = _successor(token)
    if known.used_at is None:
        known.used_at = now
        known.save(update_fields=["used_at"])
        RefreshToken.objects.create(digest=_digest(successor), session=session)
    elif now - known.used_at > users_config().reuse_grace or _is_spent(successor):
        end_sessions(user_id=session.user_id, sessions=[session])
        return None
    return _tokens(session, successor)


def end_session(*, token: str) -> None:
    """Sign out: end the family of a refresh token. An unknown token is as good as an ended one."""
    with transaction.atomic():
        known = RefreshToken.objects.select_related("session").filter(digest=_digest(token)).first()
        if known is not None and known.session.ended_at is None:
            end_sessions(user_id=known.session.user_id, sessions=[known.session])


def end_sessions(*, user_id: UUID, sessions: Iterable[Session]) -> None:
    """End sessions at once for refreshing, and for access wherever the news arrives. Within a transaction."""
    now = clock.now()
    for session in sessions:
        session.ended_at = now
        session.save(update_fields=["ended_at"])
        publish(
            events.AccessRevoked(user_id=user_id, session=str(session.pk), issued_before=now, until=revoked_until())
        )


def _tokens(session: Session, token: str) -> Tokens:
    user = session.user
    access = issue_access_token(str(user.pk), session=str(session.pk), roles=user.roles)
    return Tokens(access=access, refresh=token, user=user)


def _successor(token: str) -> str:
    """The next token of the family: a keyed hash, so that a lost answer can be given again without storing it."""
    key = hashlib.sha256(b"users.refresh:" + settings.SECRET_KEY.encode()).digest()
    return urlsafe_b64encode(hmac.digest(key, token.encode(), "sha256")).decode().rstrip("=")


def _is_spent(token: str) -> bool:
    return RefreshToken.objects.filter(digest=_digest(token), used_at__isnull=False).exists()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
