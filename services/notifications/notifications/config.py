"""The knobs of the notifications service, read once."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from bandstand.config import load, setting


@dataclass(frozen=True, kw_only=True)
class NotificationsConfig:
    """Read from `NOTIFICATIONS_…`; the mail server is read from `EMAIL_…` by `bandstand.service.mail`."""

    lease: timedelta = setting(timedelta(seconds=60), text="how long a sender may hold a mail before another retries")
    order_within: timedelta = setting(timedelta(minutes=3), text="when an order that has not ended is missed")


@cache
def notifications_config() -> NotificationsConfig:
    """The knobs of this process."""
    return load(NotificationsConfig, prefix="NOTIFICATIONS")
