"""The section `CLIENT`: how this service calls others."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

__all__ = ["ClientConfig"]


@dataclass(frozen=True, kw_only=True)
class ClientConfig:
    """Bounds of every outgoing call. `timeout` bounds the whole call, all attempts and pauses together."""

    section: ClassVar[str] = "CLIENT"

    transport: Literal["pyreqwest", "urllib3", ""] = ""
    """Empty: pyreqwest where it is installed and safe to use, else urllib3."""
    timeout: timedelta = timedelta(seconds=5)
    connect_timeout: timedelta = timedelta(seconds=1)
    max_body_bytes: int = 4 * 1024 * 1024
    pool_size: int = 32
    """Idle connections kept per address."""
    attempts: int = 3
    retry_base: timedelta = timedelta(milliseconds=50)
    retry_cap: timedelta = timedelta(seconds=1)
