"""Bodies and answers of the users service."""

import unicodedata
from datetime import date
from typing import Any, ClassVar

import msgspec
from rest_framework import serializers as rest

from bandstand import clock
from bandstand.web.fields import DateField, EmailField, IntegerField, RegexField, TextField, URLField
from bandstand.web.serializers import StrictModelSerializer, StrictSerializer
from users.models import User, UserProfile

_USERNAME = r"^[\w.@+-]+$"
_PHONE = r"^(\+?[0-9 ()/.-]{3,31})?$"
_OLDEST = date(1900, 1, 1)
_LONGEST_PREFERENCES_BYTES = 10_000


class UsernameField(RegexField):
    """A name in its one Unicode form: what looks composed and what looks decomposed is the same name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(_USERNAME, max_length=150, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Normalise (NFKC) before anything is judged."""
        return unicodedata.normalize("NFKC", super().to_internal_value(data))


class BirthDateField(DateField):
    """A day from 1900 to today."""

    def to_internal_value(self, value: Any) -> date:
        """Refuse days on which nobody who joins was born."""
        day: date = super().to_internal_value(value)
        if not _OLDEST <= day <= clock.now().date():
            raise rest.ValidationError(f"Expected a day from {_OLDEST} to today.")
        return day


class AddressField(EmailField):
    """An address in ASCII: case is folded alike by every database, and every mail server takes it.

    An international domain has its ASCII form (`xn--…`).
    """

    def to_internal_value(self, data: Any) -> str:
        """Refuse other letters."""
        address: str = super().to_internal_value(data)
        if not address.isascii():
            raise rest.ValidationError("Expected ASCII letters only.")
        return address


class UserAnswer(StrictModelSerializer):
    """A person; read-only fields may be sent back unchanged on PUT and PATCH."""

    username = UsernameField()
    phone_number = RegexField(_PHONE, required=False, allow_blank=True, default="", max_length=32)
    date_of_birth = BirthDateField(required=False, allow_null=True, default=None)
    roles = rest.ListField(child=TextField(), read_only=True)

    class Meta:
        model = User
        fields: ClassVar[list[str]] = [
            "id", "username", "email", "first_name", "last_name", "phone_number", "date_of_birth",
            "is_active", "is_verified", "roles", "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields: ClassVar[list[str]] = [
            "id", "email", "is_active", "is_verified", "created_at", "updated_at",
        ]  # fmt: skip
        # A default is what PUT sets where nothing is sent; PATCH leaves such a field alone.
        extra_kwargs: ClassVar[dict[str, Any]] = {"first_name": {"default": ""}, "last_name": {"default": ""}}


class FoundUsers(StrictSerializer):
    """What a search found."""

    results = UserAnswer(many=True)


class Registration(StrictSerializer):
    """What somebody tells when they join."""

    username = UsernameField()
    email = AddressField()
    password = TextField(max_length=1024, trim_whitespace=False)
    first_name = TextField(max_length=150, required=False, allow_blank=True, default="")
    last_name = TextField(max_length=150, required=False, allow_blank=True, default="")
    phone_number = RegexField(_PHONE, required=False, allow_blank=True, default="", max_length=32)
    date_of_birth = BirthDateField(required=False, allow_null=True, default=None)


class ProfileAnswer(StrictModelSerializer):
    """What a person tells about themselves."""

    website = URLField(required=False, allow_blank=True, default="", max_length=500)
    avatar = URLField(required=False, allow_blank=True, default="", max_length=500)
    preferences = rest.DictField(required=False, default=dict)

    class Meta:
        model = UserProfile
        fields: ClassVar[list[str]] = ["bio", "location", "website", "avatar", "preferences"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"bio": {"default": ""}, "location": {"default": ""}}

    def validate_preferences(self, value: dict[str, Any]) -> dict[str, Any]:
        """Bound what is stored."""
        if len(msgspec.json.encode(value)) > _LONGEST_PREFERENCES_BYTES:
            raise rest.ValidationError("Too large.")
        return value


class Credentials(StrictSerializer):
    """An address and a password."""

    email = TextField(max_length=254)
    password = TextField(max_length=1024, trim_whitespace=False)


class Refresh(StrictSerializer):
    """A refresh token."""

    refresh = TextField(max_length=256)


class Token(StrictSerializer):
    """An access token, or the token of a link."""

    token = TextField(max_length=8192)


class TokenPair(StrictSerializer):
    """A new session, or the next tokens of one."""

    access = TextField()
    refresh = TextField()
    token_type = TextField()
    expires_in = IntegerField()


class AuthenticateAnswer(StrictSerializer):
    """A new session with its user."""

    token = TextField()
    refresh = TextField()
    user = UserAnswer()


class PasswordChange(StrictSerializer):
    """The old and the new password."""

    old_password = TextField(max_length=1024, trim_whitespace=False)
    new_password = TextField(max_length=1024, trim_whitespace=False)


class EmailOnly(StrictSerializer):
    """An address."""

    email = TextField(max_length=254)


class PasswordReset(StrictSerializer):
    """The token of a reset link and the new password."""

    token = TextField(max_length=8192)
    new_password = TextField(max_length=1024, trim_whitespace=False)
