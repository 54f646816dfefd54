"""The section `REPLICAS` of the setting `BANDSTAND`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

__all__ = ["ReplicasConfig"]


@dataclass(frozen=True, kw_only=True)
class ReplicasConfig:
    """How long what was removed is remembered."""

    section: ClassVar[str] = "REPLICAS"

    tombstone_retention: timedelta = timedelta(days=30)
    """How late an older event may come without bringing back what was removed."""
