"""The section `CHOREOGRAPHIES` of the setting `BANDSTAND`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

__all__ = ["ChoreographiesConfig"]


@dataclass(frozen=True, kw_only=True)
class ChoreographiesConfig:
    """How often overdue journeys are looked for, and how long those that ended are remembered."""

    section: ClassVar[str] = "CHOREOGRAPHIES"

    look_every: timedelta = timedelta(seconds=1)
    retention: timedelta = timedelta(days=7)
    """Of journeys that completed or were dismissed: an event that comes later begins a journey in its middle."""
    trouble_retention: timedelta = timedelta(days=30)
    """Of journeys that stalled or deviated and that nobody dismissed."""
