"""The knobs of the users service, read once."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher

from bandstand.config import load, setting


@dataclass(frozen=True, kw_only=True)
class UsersConfig:
    """Read from `USERS_…`."""

    environment: str = setting("production", variable="SERVICE_ENVIRONMENT", text="local, test, or production rules")
    private_registration: bool = setting(
        default=False, text="answer every registration alike, so that nobody learns which addresses are known"
    )
    session_lifetime: timedelta = setting(timedelta(days=30), text="how long a sign-in may be refreshed")
    reuse_grace: timedelta = setting(timedelta(seconds=10), text="how long a lost refresh answer is given again")
    link_lifetime: timedelta = setting(timedelta(hours=24), text="how long links to verify and to reset are good")


@cache
def users_config() -> UsersConfig:
    """The knobs of this process."""
    return load(UsersConfig, prefix="USERS")


class PasswordHasher(Argon2PasswordHasher):
    """Argon2id with the parameters of OWASP's password storage sheet: 19 MiB, and 27 ms on two small cores.

    Django's own take 100 MiB and 216 ms: a dozen sign-ins at once would be the end of a small container.
    """

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1


def password_settings() -> dict[str, Any]:
    """Django's settings for users and passwords. The environment `test`, and no variable, chooses a cheap hash.

    Elsewhere a cheap hash is not even read, so a database filled by tests lets nobody in.
    """
    auth = "django.contrib.auth"
    validators = ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
    strong = ["users.config.PasswordHasher", f"{auth}.hashers.PBKDF2PasswordHasher"]
    cheap = [f"{auth}.hashers.MD5PasswordHasher"]
    return {
        "AUTH_USER_MODEL": "users.User",
        "AUTH_PASSWORD_VALIDATORS": [{"NAME": f"{auth}.password_validation.{name}Validator"} for name in validators],
        "PASSWORD_HASHERS": cheap if users_config().environment == "test" else strong,
    }
