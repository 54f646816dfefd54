"""The knobs of the notifications service, read once."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from bandstand.config import Secret, load, setting


@dataclass(frozen=True, kw_only=True)
class MailConfig:
    """Read from `EMAIL_…`. With a file path mails become files, with a host they are sent, else they are printed."""

    file_path: Path | None = setting(None, text="a folder that takes the mails instead of a server")
    host: str = setting("", text="the SMTP server")
    port: int = setting(25, text="its port")
    host_user: str = setting("", text="its user")
    host_password: Secret = setting(Secret(""), text="its password")
    use_tls: bool = setting(default=False, text="start TLS")
    sender: str = setting("shop@example.com", text="what stands in From")
    lease: timedelta = setting(timedelta(seconds=30), text="how long a sender may hold a mail before another retries")


@cache
def mail_config() -> MailConfig:
    """The knobs of this process."""
    return load(MailConfig, prefix="EMAIL")


def mail_settings() -> dict[str, Any]:
    """Django's settings for mail."""
    config = mail_config()
    backends = "django.core.mail.backends"
    if config.file_path is not None:
        return {"EMAIL_BACKEND": f"{backends}.filebased.EmailBackend", "EMAIL_FILE_PATH": config.file_path}
    if not config.host:
        return {"EMAIL_BACKEND": f"{backends}.console.EmailBackend"}
    return {
        "EMAIL_HOST": config.host,
        "EMAIL_PORT": config.port,
        "EMAIL_HOST_USER": config.host_user,
        "EMAIL_HOST_PASSWORD": config.host_password.reveal(),
        "EMAIL_USE_TLS": config.use_tls,
        "EMAIL_TIMEOUT": 10,
    }
