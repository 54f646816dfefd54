"""Accounts: registered, changed, activated, deactivated, deleted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from bandstand import clock
from bandstand.auth import revoked_until
from bandstand.errors import NotFound, ValidationFailed
from bandstand.events import publish
from users import events
from users.commands.sessions import end_sessions
from users.errors import EmailTaken, UsernameTaken
from users.models import LinkMail, Session, User, UserProfile


@dataclass(frozen=True, kw_only=True)
class NewUser:
    """What somebody tells when they join."""

    username: str
    email: str
    password: str
    first_name: str = ""
    last_name: str = ""
    phone_number: str = ""
    date_of_birth: date | None = None


def prepare_user(*, wish: NewUser) -> User:
    """Judge and hash the password, which takes its time, before any transaction. Raises ValidationFailed."""
    user = User(
        username=wish.username,
        email=wish.email,
        first_name=wish.first_name,
        last_name=wish.last_name,
        phone_number=wish.phone_number,
        date_of_birth=wish.date_of_birth,
    )
    _check_password(wish.password, user)
    user.set_password(wish.password)
    return user


def register_user(*, user: User) -> User:
    """Store a prepared account with its profile. Raises EmailTaken, UsernameTaken.

    Uniqueness is the database's word, so two at once cannot both win.
    """
    with _unique(), transaction.atomic():
        user.save(force_insert=True)
        UserProfile.objects.create(user=user)
        LinkMail.objects.create(user=user, purpose=LinkMail.Purpose.VERIFY)
        publish(events.UserRegistered(user_id=user.pk, email=user.email, username=user.username))
    return user


def update_user(*, user_id: UUID, changes: Mapping[str, Any], check: Callable[[User], None]) -> User:
    """Change what a user may change about themselves, unless *check* objects to the row as it is now.

    Raises NotFound, UsernameTaken, and what *check* raises.
    """
    with _unique(), transaction.atomic():
        user = _locked(user_id)
        check(user)
        for name, value in changes.items():
            setattr(user, name, value)
        user.updated_at = clock.now()
        user.save(update_fields=[*changes, "updated_at"])
        publish(events.UserUpdated(user_id=user.pk, email=user.email, username=user.username))
    return user


@transaction.atomic
def update_profile(*, user_id: UUID, changes: Mapping[str, Any]) -> UserProfile:
    """Change a profile. Raises NotFound."""
    _locked(user_id)
    profile = UserProfile.objects.get(user_id=user_id)
    for name, value in changes.items():
        setattr(profile, name, value)
    profile.updated_at = clock.now()
    profile.save(update_fields=[*changes, "updated_at"])
    return profile


def change_password(*, user_id: UUID, old: str, new: str, keep_session: str | None) -> None:
    """Set a new password and end every session but *keep_session*. Raises ValidationFailed, NotFound."""
    user = User.objects.filter(pk=user_id, deleted_at__isnull=True).first()
    if user is None:
        raise NotFound
    if not user.check_password(old):
        raise ValidationFailed("The password was not changed.", field_errors={"old_password": ["It is wrong."]})
    set_password(user_id=user_id, password=new, keep_session=keep_session)


def set_password(*, user_id: UUID, password: str, keep_session: str | None = None) -> None:
    """Set a password and end every session but *keep_session*. Raises ValidationFailed, NotFound."""
    hashed = User(pk=user_id)
    _check_password(password, hashed)
    hashed.set_password(password)
    with transaction.atomic():
        user = _locked(user_id)
        user.password, user.updated_at = hashed.password, clock.now()
        user.save(update_fields=["password", "updated_at"])
        end_sessions(user_id=user_id, sessions=_open_sessions(user_id, besides=keep_session))


@transaction.atomic
def deactivate_user(*, user_id: UUID) -> User:
    """Keep a user out: sessions and tokens end. Idempotent. Raises NotFound."""
    user = _locked(user_id)
    if user.is_active:
        _set_active(user, active=False)
        _end_access(user)
        publish(events.UserDeactivated(user_id=user.pk))
    return user


@transaction.atomic
def activate_user(*, user_id: UUID) -> User:
    """Let a user in again. Idempotent. Raises NotFound."""
    user = _locked(user_id)
    if not user.is_active:
        _set_active(user, active=True)
        publish(events.UserActivated(user_id=user.pk))
    return user


@transaction.atomic
def delete_user(*, user_id: UUID) -> None:
    """Take an account out of sight for good; its rows stay for what refers to them. Raises NotFound."""
    user = _locked(user_id)
    was_active = user.is_active
    user.is_active, user.deleted_at, user.updated_at = False, clock.now(), clock.now()
    user.save(update_fields=["is_active", "deleted_at", "updated_at"])
    _end_access(user)
    if was_active:
        publish(events.UserDeactivated(user_id=user.pk))


def _end_access(user: User) -> None:
    now = clock.now()
    for session in _open_sessions(user.pk, besides=None):
        session.ended_at = now
        session.save(update_fields=["ended_at"])
    publish(events.AccessRevoked(user_id=user.pk, session=None, issued_before=now, until=revoked_until()))


def _open_sessions(user_id: UUID, *, besides: str | None) -> list[Session]:
    found = Session.objects.filter(user_id=user_id, ended_at__isnull=True)
    return list(found.exclude(pk=besides) if besides else found)


def _set_active(user: User, *, active: bool) -> None:
    user.is_active, user.updated_at = active, clock.now()
    user.save(update_fields=["is_active", "updated_at"])


def _locked(user_id: UUID) -> User:
    user = User.objects.select_for_update().filter(pk=user_id, deleted_at__isnull=True).first()
    if user is None:
        raise NotFound
    return user


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)  # type: ignore[arg-type]  # the stubs know Django's own user only
    except ValidationError as error:
        raise ValidationFailed("The password is too weak.", field_errors={"password": error.messages}) from error


class _unique:  # noqa: N801 - reads as a statement: `with _unique():`
    """Turn the database's word on uniqueness into the rule it enforces."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, IntegrityError):
            return
        if "user_email_once" in str(error):
            raise EmailTaken from error
        if "user_username_once" in str(error):
            raise UsernameTaken from error
