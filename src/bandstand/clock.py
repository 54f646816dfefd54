"""The only door to time: wall clock, monotonic clock, sleep, database time and time-ordered ids.

Tests hold the clock with `bandstand.testing.held_clock`; nothing else in the project reads time elsewhere.
"""

import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

__all__ = [
    "Clock",
    "database_now",
    "database_time",
    "install",
    "moment",
    "monotonic",
    "now",
    "rfc3339",
    "sleep",
    "uuid7",
]


class Clock(Protocol):
    """What a clock must offer. `held` says that it stands in for the database's time as well."""

    held: bool

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class _SystemClock:
    """The functions of the standard library themselves: time is read often enough for a call in between to count."""

    held = False
    now = staticmethod(partial(datetime.now, UTC))
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)


_clock: Clock = _SystemClock()


def install(clock: Clock | None) -> Clock:
    """Replace the clock of this process (None: the system's) and return the one it replaces."""
    global _clock  # noqa: PLW0603 - the one deliberate global: time itself
    previous = _clock
    _clock = clock or _SystemClock()
    return previous


def now() -> datetime:
    """The current time, aware, in UTC."""
    return _clock.now()


def monotonic() -> float:
    """Seconds on a clock that never goes back; for durations and deadlines within this process."""
    return _clock.monotonic()


def sleep(seconds: float) -> None:
    """Block this thread for *seconds*."""
    _clock.sleep(max(0.0, seconds))


def database_now(using: str = "default") -> datetime:
    """The database server's time, aware, in UTC: the one clock that all hosts of a service share.

    Leases and deadlines are written and compared with it, so that a host whose clock is wrong cannot steal work.
    """
    if _clock.held:
        return _clock.now()
    from django.db import connections  # noqa: PLC0415 - settings must not be needed to read the wall clock

    connection = connections[using]
    if connection.vendor == "sqlite":  # the server of a file is this host: its clock is the database's clock
        return _clock.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment.astimezone(UTC)


_LOOK_SECONDS = 5.0
_looks: dict[str, tuple[float, datetime]] = {}


def database_time(using: str = "default") -> datetime:
    """The database server's time without asking it each time: its last answer, carried on by this host for seconds.

    Off by a round trip at most. For moments that are written; whether a lease has run out is `database_now`'s to say.
    """
    found, now = _looks.get(using), _clock.monotonic()
    if _clock.held or found is None or now - found[0] > _LOOK_SECONDS:
        answer = database_now(using)
        if not _clock.held:
            _looks[using] = _clock.monotonic(), answer
        return answer
    return found[1] + timedelta(seconds=now - found[0])


def rfc3339(moment: datetime, *, timespec: str = "milliseconds") -> str:
    """Write *moment* as RFC 3339 in UTC with a `Z`."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """Read a moment as people write it: RFC 3339, UTC without a zone, or how long ago. Raises ValueError."""
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        expected = "expected how long ago, as 90s, 30m, 2h or 7d, or a time, as 2026-05-04T10:00:00Z"
        raise ValueError(f"{text!r} is no moment; {expected}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def uuid7() -> UUID:
    """Make a time-ordered id (RFC 9562, version 7): 48 bits of milliseconds, 12 bits of their fraction, 62 random."""
    microseconds = (now() - _EPOCH) // timedelta(microseconds=1)
    milliseconds, rest = divmod(microseconds, 1000)
    fraction = rest * 4096 // 1000
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)
