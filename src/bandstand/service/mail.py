"""How a service sends mail, as Django's settings: `service_settings(…, **mail_settings())`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bandstand.config import ConfigurationError, Fault, Secret, load, setting

__all__ = ["MailEnvironment", "mail_settings"]

_BACKENDS = "django.core.mail.backends"


@dataclass(frozen=True, kw_only=True)
class MailEnvironment:
    """Read from `EMAIL_…`. With a file path mails become files, with a host they are sent, else they are printed."""

    environment: str = setting("production", variable="SERVICE_ENVIRONMENT", text="local, test, or production rules")
    file_path: Path | None = setting(None, text="a folder that takes the mails instead of a server")
    host: str = setting("", text="the SMTP server")
    port: int = setting(25, text="its port")
    host_user: str = setting("", text="its user")
    host_password: Secret = setting(Secret(""), text="its password")
    use_tls: bool = setting(default=False, text="start TLS")
    sender: str = setting("shop@example.com", text="what stands in From")


def mail_settings() -> dict[str, Any]:
    """Django's settings for mail. Raises ConfigurationError where production would print mails into its log."""
    found = load(MailEnvironment, prefix="EMAIL")
    shared: dict[str, Any] = {"DEFAULT_FROM_EMAIL": found.sender}
    if found.file_path is not None:
        return shared | {"EMAIL_BACKEND": f"{_BACKENDS}.filebased.EmailBackend", "EMAIL_FILE_PATH": found.file_path}
    if found.host:
        return shared | {
            "EMAIL_HOST": found.host,
            "EMAIL_PORT": found.port,
            "EMAIL_HOST_USER": found.host_user,
            "EMAIL_HOST_PASSWORD": found.host_password.reveal(),
            "EMAIL_USE_TLS": found.use_tls,
            "EMAIL_TIMEOUT": 10,
        }
    if found.environment not in ("local", "test"):
        expected = "an SMTP server, or EMAIL_FILE_PATH"
        raise ConfigurationError([Fault(variable="EMAIL_HOST", problem="is not set", expected=expected)])
    return shared | {"EMAIL_BACKEND": f"{_BACKENDS}.console.EmailBackend"}
