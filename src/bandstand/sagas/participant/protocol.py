"""What a participant answers, without a database: callers, fakes and tests speak of it too."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bandstand.errors import BusinessRuleViolated, Conflict

__all__ = ["Created", "DifferentRequest", "EffectCancelled", "KeyState", "Known"]


class KeyState(StrEnum):
    """What is committed under a key. `absent` is no promise: a create may be under way. Only a cancel settles it."""

    ABSENT = "absent"
    APPLIED = "applied"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Created:
    """The answer of the effect, the same for every repeat, as it comes back from JSON."""

    answer: Any
    is_repeat: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What was found under a key; `answer` is that of the effect, None where it never was."""

    state: KeyState
    answer: Any = None


class EffectCancelled(Conflict):
    """The key was cancelled, perhaps before its create came: nothing is, or stays, applied under it."""

    conflict = "cancelled"
    sentence = "This key was cancelled."


class DifferentRequest(BusinessRuleViolated):
    """The key stands for another request."""

    rule = "different_request"
    sentence = "This key was used for a different request."
