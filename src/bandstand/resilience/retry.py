"""When to try again, and how long to wait first."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["RetryPolicy"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """At most *attempts* in all, with exponential backoff and full jitter between them.

    Full jitter (a uniform draw between nothing and the backoff) spreads callers that failed together as wide as
    possible: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    attempts: int = 3
    base: timedelta = timedelta(milliseconds=50)
    cap: timedelta = timedelta(seconds=1)

    def delay(self, attempt: int, *, draw: Callable[[], float] = random.random) -> timedelta:
        """How long to wait after the failed attempt number *attempt* (1 is the first); *draw* gives 0 to 1."""
        return self.backoff(attempt) * draw()

    def backoff(self, attempt: int) -> timedelta:
        """The upper bound of that wait: doubles with each attempt up to the cap, and never overflows."""
        return min(self.cap, self.base * (1 << min(attempt - 1, 32)))
