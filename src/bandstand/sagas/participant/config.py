"""The section `PARTICIPANT` of the setting `BANDSTAND`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

__all__ = ["RETRY_HORIZON", "ParticipantConfig"]

RETRY_HORIZON = timedelta(hours=12)
"""How long a caller may repeat a key. A key forgotten sooner would let a late create apply what was cancelled."""


@dataclass(frozen=True, kw_only=True)
class ParticipantConfig:
    """Where keys are kept, and for how long after their last change.

    `database` is that of the effects, for both are one transaction. `retention` exceeds the longest life of any saga
    that calls: a cancel of a forgotten key undoes nothing.
    """

    section: ClassVar[str] = "PARTICIPANT"

    database: str = "default"
    retention: timedelta = timedelta(days=30)
