"""Sessions: opened by a password, carried on by refresh tokens, ended with their whole family."""

import hashlib
import hmac
import logging
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import Q, QuerySet

from bandstand import clock
from bandstand.auth import issue_access_token, revoked_until
from bandstand.events import publish
from users import events, queries
from users.config import users_config
from users.errors import RefreshRefused, WrongCredentials
from users.models import RefreshToken, Session, User

log = logging.getLogger(__name__)

_KEPT_AFTER_END = timedelta(days=1)


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
    if user is None or not user.check_password(password) or not user.is_active:
        log.info("sign_in.refused", extra={"email": email})
        raise WrongCredentials
    return _open_session(user)


@transaction.atomic
def _open_session(judged: User) -> Tokens:
    user = User.objects.locked(judged.pk)
    if user is None or not user.is_active or user.password != judged.password:
        raise WrongCredentials  # changed while the password was being checked
    session = Session.objects.create(user=user, expires_at=clock.now() + users_config().session_lifetime)
    token = urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    RefreshToken.objects.create(digest=_digest(token), session=session)
    log.info("session.opened", extra={"user_id": user.pk, "session_id": session.pk})
    return _tokens(session, token)


def refresh(*, token: str) -> Tokens:
    """Spend a refresh token for its successor and a new access token.

    A repeat within the grace gets the same successor: the answer was lost. A later one, or one whose successor has been
    spent, means that somebody else has the token: the session ends. Raises RefreshRefused.
    """
    owner = Session.objects.filter(tokens__digest=_digest(token)).values_list("user_id", flat=True).first()
    if owner is None:
        raise RefreshRefused
    with transaction.atomic():
        tokens = _spend(token, owner=owner)
    if tokens is None:  # the end of the session is committed before the refusal
        raise RefreshRefused
    return tokens


def _spend(token: str, *, owner: UUID) -> Tokens | None:
    user, now = User.objects.locked(owner), clock.now()
    known = RefreshToken.objects.select_related("session").filter(digest=_digest(token)).first()
    if user is None or not user.is_active or known is None or not _is_open(known.session, now):
        return None
    session, successor = known.session, _successor(token)
    session.user = user
    if known.used_at is None:
        known.used_at = now
        known.save(update_fields=["used_at"])
        RefreshToken.objects.create(digest=_digest(successor), session=session)
    elif now - known.used_at > users_config().reuse_grace or _is_spent(successor):
        log.warning("session.reuse_detected", extra={"user_id": user.pk, "session_id": session.pk})
        end_sessions(Session.objects.filter(pk=session.pk), user_id=user.pk)
        return None
    return _tokens(session, successor)


def end_session(*, token: str) -> None:
    """Sign out: end the family of a refresh token. An unknown token is as good as an ended one."""
    session = Session.objects.filter(tokens__digest=_digest(token)).first()
    if session is None:
        return
    with transaction.atomic():
        User.objects.locked(session.user_id)
        end_sessions(Session.objects.filter(pk=session.pk), user_id=session.user_id)


def end_sessions(sessions: "QuerySet[Session]", *, user_id: UUID) -> None:
    """End sessions at once for refreshing, and for access wherever the news arrives. Hold the user's lock.

    Sessions are named one by one, never "all before now": tokens count in whole seconds, and one that is issued right
    after a sweep would fall to it.
    """
    now, until = clock.now(), revoked_until()
    still_open = sessions.filter(ended_at__isnull=True)
    # What was issued longer ago has expired by itself: the news is as short as the last quarter of an hour.
    lately = now - (until - now) - users_config().reuse_grace
    in_use = list(still_open.filter(tokens__created_at__gt=lately).values_list("pk", flat=True).distinct())
    still_open.update(ended_at=now)
    for session_id in in_use:
        publish(events.AccessRevoked(user_id=user_id, session=str(session_id), issued_before=now, until=until))


@transaction.atomic
def purge_sessions(*, limit: int) -> int:
    """Forget up to *limit* sessions, with their tokens, that nobody can use any more; return how many."""
    now = clock.now()
    over = Session.objects.filter(Q(expires_at__lt=now) | Q(ended_at__lt=now - _KEPT_AFTER_END))
    gone = list(over.values_list("pk", flat=True)[:limit])
    if gone:
        Session.objects.filter(pk__in=gone).delete()
    return len(gone)


def _is_open(session: Session, now: datetime) -> bool:
    return session.ended_at is None and session.expires_at > now


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
