"""How many sagas of one type may run, and how fast they may begin."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

__all__ = ["Limit", "Priority", "Rate"]


class Priority(IntEnum):
    """Which sagas are taken up first where more wait than can be worked on."""

    LOW = -1
    NORMAL = 0
    HIGH = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """At most `count` within `per`, and that many at once after a rest (generic cell rate algorithm)."""

    count: int
    per: timedelta

    def allowed(self, at: datetime | None, now: datetime) -> int:
        """How many may begin now; *at* is the moment up to which the rate is used up."""
        ahead = max(at or now, now) - now
        return int((self.per - ahead) / (self.per / self.count))

    def used(self, at: datetime | None, now: datetime, number: int) -> datetime:
        """The moment up to which the rate is used up once *number* have begun."""
        return max(at or now, now) + number * (self.per / self.count)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What holds back the sagas of a type; those above it wait as `pending`, by priority and then by age.

    `live` are under way at once, over all workers; `per_key` among those for which `key(context)` is the same; `starts`
    is how fast they begin. A saga that has begun is never held back.
    """

    live: int | None = None
    per_key: int | None = None
    key: Callable[[Any], str] | None = None
    starts: Rate | None = None

    def key_of(self, context: Any) -> str:
        """What a limit per key counts together."""
        return str(self.key(context)) if self.key is not None else ""
