"""Accounts: registered, changed, activated, deactivated, deleted."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model

from bandstand import clock
from bandstand.errors import NotFound, ServiceError, ValidationFailed
from bandstand.events import publish
from users import events, queries
from users.commands.sessions import end_sessions
from users.errors import EmailTaken, UsernameTaken
from users.models import LinkMail, Session, User, UserProfile

log = logging.getLogger(__name__)


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
    _check_password(wish.password, user, field="password")
    user.set_password(wish.password)
    return user


def register_user(*, user: User) -> User:
    """Store a prepared account with its profile, its event and, unless verified, the mail that asks to verify it.

    Uniqueness is the database's word, so two at once cannot both win. Raises EmailTaken, UsernameTaken.
    """
    with _unique(), transaction.atomic():
        user.save(force_insert=True)
        UserProfile.objects.create(user=user)
        if not user.is_verified:
            LinkMail.objects.create(email=user.email, purpose=LinkMail.Purpose.VERIFY)
        publish(events.UserRegistered(user_id=user.pk, email=user.email, username=user.username))
    return user


def register_privately(*, user: User) -> None:
    """Store a prepared account, or tell its address by mail why not: whoever asks learns nothing from the answer."""
    try:
        register_user(user=user)
    except (EmailTaken, UsernameTaken):
        known = queries.has_address(user.email)
        purpose = LinkMail.Purpose.ADDRESS_TAKEN if known else LinkMail.Purpose.USERNAME_TAKEN
        with transaction.atomic():
            LinkMail.objects.create(email=user.email, purpose=purpose)


def update_user(*, user_id: UUID, changes: Mapping[str, Any], check: Callable[[User], None]) -> User:
    """Change what a user may change about themselves, unless *check* objects to the row as it is now.

    What changes nothing leaves no trace. Raises NotFound, UsernameTaken, and what *check* raises.
    """
    with _unique(), transaction.atomic():
        user = _locked(user_id)
        check(user)
        changed = _apply(changes, to=user)
        if changed:
            user.updated_at = clock.now()
            user.save(update_fields=[*changed, "updated_at"])
            publish(events.UserUpdated(user_id=user.pk, email=user.email, username=user.username))
    return user


@transaction.atomic
def update_profile(*, user_id: UUID, changes: Mapping[str, Any], check: Callable[[UserProfile], None]) -> UserProfile:
    """Change a profile, unless *check* objects to the row as it is now. Raises NotFound, and what *check* raises."""
    _locked(user_id)
    profile = UserProfile.objects.get(user_id=user_id)
    check(profile)
    changed = _apply(changes, to=profile)
    if changed:
        profile.updated_at = clock.now()
        profile.save(update_fields=[*changed, "updated_at"])
    return profile


def change_password(*, user_id: UUID, old: str, new: str, keep_session: str | None) -> None:
    """Set a new password and end every session but *keep_session*. Raises ValidationFailed, NotFound."""
    user = queries.user(user_id)
    if user is None:
        raise NotFound
    refusal = ValidationFailed("The password was not changed.", field_errors={"old_password": ["It is wrong."]})
    if not user.check_password(old):
        log.info("password.change_refused", extra={"user_id": user_id})
        raise refusal
    set_password(judged=user, password=new, refusal=refusal, keep_session=keep_session)


def set_password(*, judged: User, password: str, refusal: ServiceError, keep_session: str | None = None) -> None:
    """Set a password and end every session but *keep_session*. Raises ValidationFailed when it is too weak.

    Hashing takes its time before the transaction. Raises *refusal* when the password that was judged is no longer the
    user's: of two who use one link, or one old password, the second is too late.
    """
    _check_password(password, judged, field="new_password")
    hashed = make_password(password)
    with transaction.atomic():
        user = User.objects.locked(judged.pk)
        if user is None or not user.is_active or user.password != judged.password:
            raise refusal
        user.password, user.updated_at = hashed, clock.now()
        user.save(update_fields=["password", "updated_at"])
        sessions = Session.objects.filter(user_id=user.pk)
        end_sessions(sessions.exclude(pk=keep_session) if keep_session else sessions, user_id=user.pk)
    log.info("password.changed", extra={"user_id": judged.pk})


@transaction.atomic
def deactivate_user(*, user_id: UUID) -> User:
    """Keep a user out: sessions and tokens end. Idempotent. Raises NotFound."""
    user = _locked(user_id)
    if user.is_active:
        _set_active(user, active=False)
        end_sessions(Session.objects.filter(user_id=user.pk), user_id=user.pk)
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
def set_staff(*, user_id: UUID, staff: bool) -> User:
    """Grant or withdraw the role `staff`; withdrawing ends sessions, and so the tokens that say it. Raises NotFound."""
    user = _locked(user_id)
    if user.is_staff != staff:
        user.is_staff, user.updated_at = staff, clock.now()
        user.save(update_fields=["is_staff", "updated_at"])
        if not staff:
            end_sessions(Session.objects.filter(user_id=user.pk), user_id=user.pk)
        log.warning("staff.changed", extra={"user_id": user.pk, "staff": staff})
    return user


@transaction.atomic
def delete_user(*, user_id: UUID) -> None:
    """Take an account out of sight for good; its rows stay for what refers to them. Raises NotFound."""
    user = _locked(user_id)
    was_active = user.is_active
    user.is_active, user.deleted_at, user.updated_at = False, clock.now(), clock.now()
    user.save(update_fields=["is_active", "deleted_at", "updated_at"])
    end_sessions(Session.objects.filter(user_id=user.pk), user_id=user.pk)
    if was_active:
        publish(events.UserDeactivated(user_id=user.pk))


def _set_active(user: User, *, active: bool) -> None:
    user.is_active, user.updated_at = active, clock.now()
    user.save(update_fields=["is_active", "updated_at"])


def _apply(changes: Mapping[str, Any], *, to: Model) -> list[str]:
    """Set what differs on *to*; return the names."""
    changed = [name for name, value in changes.items() if getattr(to, name) != value]
    for name in changed:
        setattr(to, name, changes[name])
    return changed


def _locked(user_id: UUID) -> User:
    user = User.objects.locked(user_id)
    if user is None:
        raise NotFound
    return user


def _check_password(password: str, user: User, *, field: str) -> None:
    try:
        validate_password(password, user)  # type: ignore[arg-type]  # the stubs know Django's own user only
    except ValidationError as error:
        raise ValidationFailed("The password is too weak.", field_errors={field: error.messages}) from error


@contextmanager
def _unique() -> Iterator[None]:
    """Turn the database's word on uniqueness into the rule it enforces."""
    try:
        yield
    except IntegrityError as error:
        # In quotes: no username can hold them, so none can pass for the name of a constraint.
        named = re.search(r"['\"](user_email_once|user_username_once)['\"]", str(error))
        if named is None:
            raise
        raise (EmailTaken if named[1] == "user_email_once" else UsernameTaken) from error
