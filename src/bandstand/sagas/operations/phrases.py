"""Moments and errors as people read them."""

from datetime import datetime

from bandstand.events.operations.output import duration

__all__ = ["age", "clipped", "on_the_clock", "remaining", "took"]

_LONGEST = 160


def age(since: datetime, now: datetime) -> str:
    """How long something has lasted."""
    return duration(max(0.0, (now - since).total_seconds()))


def remaining(until: datetime | None, now: datetime) -> str:
    """When the next thing happens."""
    if until is None or until <= now:
        return "due now"
    return f"next in {duration(max(1.0, (until - now).total_seconds()))}"


def on_the_clock(moment: datetime, now: datetime) -> str:
    """A moment in UTC, with its date unless that is today's."""
    return f"{moment:%H:%M}Z" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M}Z"


def took(seconds: float) -> str:
    """How long an attempt took: in milliseconds, unless it was a wait."""
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else duration(seconds)


def clipped(text: str, longest: int = _LONGEST) -> str:
    """The first line of a text, and no more than fits."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
