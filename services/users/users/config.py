"""The knobs of the users service, read once."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bandstand.config import load, setting


@dataclass(frozen=True, kw_only=True)
class UsersConfig:
    """Read from `USERS_…`."""

    private_registration: bool = setting(
        default=False, text="answer every registration alike, so that nobody learns which addresses are known"
    )
    session_lifetime: timedelta = setting(timedelta(days=30), text="how long a sign-in may be refreshed")
    reuse_grace: timedelta = setting(timedelta(seconds=10), text="how long a lost refresh answer is given again")
    link_lifetime: timedelta = setting(timedelta(hours=24), text="how long links to verify and to reset are good")
    mail_folder: Path | None = setting(None, variable="EMAIL_FILE_PATH", text="a folder that takes the mails")
    fast_hashing: bool = setting(default=False, variable="USERS_FAST_HASHING", text="weak hashes, for tests only")


@cache
def users_config() -> UsersConfig:
    """The knobs of this process."""
    return load(UsersConfig, prefix="USERS")


def user_settings() -> dict[str, Any]:
    """Django's settings for users, passwords and mail."""
    config = users_config()
    validation, hashers, mail = (
        "django.contrib.auth.password_validation",
        "django.contrib.auth.hashers",
        "django.core.mail.backends",
    )
    validators = ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
    hasher = "MD5PasswordHasher" if config.fast_hashing else "Argon2PasswordHasher"
    settings: dict[str, Any] = {
        "AUTH_USER_MODEL": "users.User",
        "AUTH_PASSWORD_VALIDATORS": [{"NAME": f"{validation}.{name}Validator"} for name in validators],
        "PASSWORD_HASHERS": [f"{hashers}.{hasher}", f"{hashers}.PBKDF2PasswordHasher"],
    }
    if config.mail_folder is None:
        return settings | {"EMAIL_BACKEND": f"{mail}.console.EmailBackend"}
    return settings | {"EMAIL_BACKEND": f"{mail}.filebased.EmailBackend", "EMAIL_FILE_PATH": config.mail_folder}
