"""What a person does to a saga, as values."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

__all__ = ["NOTED", "OUTCOMES", "Action", "Deed", "Told"]


class Action(StrEnum):
    """What can be done."""

    RETRY = "retry"
    """Make the next attempt now."""
    SKIP = "skip"
    """Go on without a step at hand."""
    COMPENSATE = "compensate"
    """Undo everything, even behind the pivot."""
    CANCEL = "cancel"
    """Undo everything, unless the pivot is passed first."""
    RESOLVE = "resolve"
    """Say how a step at hand came out."""
    ANNOTATE = "annotate"
    """Write something beside it; nothing changes."""
    APPROVE = "approve"
    REJECT = "reject"


NOTED = frozenset({Action.SKIP, Action.COMPENSATE, Action.CANCEL, Action.RESOLVE, Action.ANNOTATE})
"""The actions that need a note."""

OUTCOMES = ("happened", "did-not-happen", "undone")
"""What a step can be resolved as: the first two on the way forward, the last on the way back."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One action of one person. `force` lets a saga be compensated whose effects cannot all be undone."""

    action: Action
    by: str
    note: str = ""
    step: str = ""
    outcome: str = ""
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was recorded: the id of the signal, what follows in words, and whether another person has to confirm it."""

    saga_id: UUID
    signal_id: int
    says: str
    is_proposed: bool = False
