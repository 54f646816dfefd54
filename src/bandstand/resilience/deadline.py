"""One moment by which a whole piece of work must be done, whatever it consists of."""

from datetime import timedelta

import msgspec

from bandstand import clock, context

__all__ = ["Deadline"]


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of `clock.monotonic()`."""

    moment: float

    @classmethod
    def within(cls, timeout: timedelta) -> "Deadline":
        """The nearer of *timeout* from now and the deadline that the caller of this work set."""
        own = clock.monotonic() + timeout.total_seconds()
        given = context.current().deadline
        return cls(moment=own if given is None else min(own, given))

    @property
    def remaining(self) -> float:
        """Seconds left; not above zero once it has passed."""
        return self.moment - clock.monotonic()
