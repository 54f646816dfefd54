"""Bodies and answers of the users service."""

from typing import Any, ClassVar

from rest_framework import serializers as rest

from bandstand.web.fields import DateField, EmailField, IntegerField, RegexField, TextField, URLField
from bandstand.web.serializers import StrictModelSerializer, StrictSerializer
from users.models import User, UserProfile

_USERNAME = r"^[\w.@+-]+$"
_PHONE = r"^(\+?[0-9 ()/.-]{3,31})?$"
_LONGEST_PREFERENCES = 10_000


class UserAnswer(StrictModelSerializer):
    """A person; read-only fields may be sent back unchanged on PUT and PATCH."""

    username = RegexField(_USERNAME, max_length=150)
    phone_number = RegexField(_PHONE, required=False, allow_blank=True, max_length=32)
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


class FoundUsers(StrictSerializer):
    """What a search found."""

    results = UserAnswer(many=True)


class Registration(StrictSerializer):
    """What somebody tells when they join."""

    username = RegexField(_USERNAME, max_length=150)
    email = EmailField()
    password = TextField(max_length=1024, trim_whitespace=False)
    first_name = TextField(max_length=150, required=False, allow_blank=True, default="")
    last_name = TextField(max_length=150, required=False, allow_blank=True, default="")
    phone_number = RegexField(_PHONE, required=False, allow_blank=True, default="", max_length=32)
    date_of_birth = DateField(required=False, allow_null=True, default=None)


class ProfileAnswer(StrictModelSerializer):
    """What a person tells about themselves."""

    website = URLField(required=False, allow_blank=True, max_length=500)
    avatar = URLField(required=False, allow_blank=True, max_length=500)
    preferences = rest.DictField(required=False)

    class Meta:
        model = UserProfile
        fields: ClassVar[list[str]] = ["bio", "location", "website", "avatar", "preferences"]

    def validate_preferences(self, value: dict[str, Any]) -> dict[str, Any]:
        """Bound what is stored."""
        if len(str(value)) > _LONGEST_PREFERENCES:
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
