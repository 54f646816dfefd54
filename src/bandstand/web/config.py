"""The section `BANDSTAND["WEB"]`: bounds of what comes in."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from bandstand.config import section

__all__ = ["WebSettings", "web_settings"]


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """Bounds of requests and lists, and how long answers to keyed requests are kept."""

    section: ClassVar[str] = "WEB"

    body_limit_bytes: int = 1 << 20
    json_depth: int = 32
    trusted_proxies: int = 0
    page_size: int = 20
    page_size_limit: int = 100
    idempotency_keep: timedelta = timedelta(hours=24)
    idempotency_lease: timedelta = timedelta(seconds=30)


def web_settings() -> WebSettings:
    """The bounds of this service."""
    return section(WebSettings)
