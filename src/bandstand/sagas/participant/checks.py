"""System checks of a participant: bandstand.E391."""

from typing import Any

from django.core.checks import CheckMessage, Error

from bandstand.config import section
from bandstand.sagas.participant.config import RETRY_HORIZON, ParticipantConfig

__all__ = ["check_retention"]


def check_retention(**_: Any) -> list[CheckMessage]:
    """A key outlives every repeat of it."""
    retention = section(ParticipantConfig).retention
    if retention >= RETRY_HORIZON:
        return []
    hint = f"Set RETENTION of PARTICIPANT to {RETRY_HORIZON} or more, and above the longest life of a saga that calls."
    return [Error(f"Keys would be forgotten after {retention}.", hint=hint, id="bandstand.E391")]
