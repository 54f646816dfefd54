"""What the saga engine is told and what it answers: states, events and commands, all of them plain values.

They are msgspec structures rather than dataclasses: a state is stored as it stands, and is copied at every step.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from bandstand.sagas.steps import Direction, Leaf
from bandstand.sagas.transitions import Phase

__all__ = [
    "LIVE",
    "Answered",
    "Asked",
    "Begun",
    "Call",
    "CancelRequested",
    "Command",
    "Decide",
    "Decided",
    "Due",
    "End",
    "EndingFailed",
    "Event",
    "Hurried",
    "Log",
    "Outcome",
    "Position",
    "Ready",
    "Resolved",
    "Result",
    "Resumed",
    "SagaStatus",
    "State",
    "TurnedBack",
    "Withdrawn",
]


class SagaStatus(StrEnum):
    """Where a saga is. The last three are final.

    `pending` has not been admitted yet; `unknown` is finding out whether something happened; `compensation_failed` is
    still retried slowly; `parked` waits for a release that knows its step.
    """

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    COMPENSATING = "compensating"
    COMPENSATION_FAILED = "compensation_failed"
    PARKED = "parked"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the saga has ended."""
        return self not in LIVE


LIVE = frozenset(SagaStatus) - {SagaStatus.COMPLETED, SagaStatus.COMPENSATED, SagaStatus.CANCELLED}


class Outcome(StrEnum):
    """What the log says. `failed`: surely nothing happened; `unknown`: it may have; the others speak for themselves."""

    __hash__ = str.__hash__
    INTENT = "intent"
    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"
    ABSENT = "absent"
    """A query found nothing under the key."""
    BEGUN = "begun"
    SKIPPED = "skipped"


class Position(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step at hand. `since` is when it was begun; `next_at` when it is due, None while a call is under way.

    `doubt`: an earlier attempt may have happened. `absent` counts the queries that found nothing.
    """

    unit: str
    phase: Phase
    since: datetime
    attempt: int = 0
    next_at: datetime | None = None
    doubt: bool = False
    absent: int = 0
    error: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything the engine knows of one saga.

    `at` are the steps at hand, several within a group. `done` are the units that happened or may have happened and are
    not undone, oldest first; of `buried` ones nobody knows. `items` are the keys that each loop goes over. `keyed_as`
    says of renamed units how they were called when they were begun. `ending` and `reason` are set once the saga has
    turned back; `forced` lets it turn back behind the pivot. `parent` names the step that waits for this saga.
    """

    status: SagaStatus
    direction: Direction = Direction.DO
    at: tuple[Position, ...] = ()
    done: tuple[str, ...] = ()
    buried: tuple[str, ...] = ()
    items: dict[str, tuple[str, ...]] = {}
    keyed_as: dict[str, str] = {}
    forward: bool = False
    forced: bool = False
    deadline: datetime | None = None
    ending: SagaStatus | None = None
    reason: str = ""
    cancel_requested: bool = False
    parent: str = ""

    def begun_as(self, unit: str) -> str:
        """What a unit was called when it was begun: its key, its replies and its child go by that."""
        return self.keyed_as.get(unit, unit)

    @property
    def error(self) -> str:
        """What the last attempt met."""
        return next((position.error for position in self.at if position.error), "")

    @property
    def next_at(self) -> datetime | None:
        """When the next step at hand is due; None while all wait for answers."""
        moments = [position.next_at for position in self.at if position.next_at is not None]
        return min(moments, default=None)

    @property
    def is_calling(self) -> bool:
        """Whether a remote call is under way."""
        return any(position.next_at is None for position in self.at)


class Begun(msgspec.Struct, frozen=True):
    """The saga's row exists; nothing was intended yet."""


class Resumed(msgspec.Struct, frozen=True):
    """This worker took the saga over: whatever was under way has an unknown outcome."""


class Due(msgspec.Struct, frozen=True):
    """The moment of some step at hand has come."""


class Hurried(msgspec.Struct, frozen=True):
    """A person wants the next attempt of everything now."""


class CancelRequested(msgspec.Struct, frozen=True):
    """Somebody wishes the saga undone."""


class TurnedBack(msgspec.Struct, frozen=True):
    """A person has decided to undo the saga, wherever it is."""

    reason: str


class Withdrawn(msgspec.Struct, frozen=True):
    """A participant has taken back a step that was done: a renewal was refused."""

    reason: str


class Answered(msgspec.Struct, frozen=True):
    """A call ended, or what was asked for was heard. `jitter`, in [0, 1), spreads the next attempt.

    `doubtful` marks a refusal of a repetition that the client made by itself: an earlier copy may be on its way.
    """

    unit: str
    direction: Direction
    outcome: Outcome
    reason: str = ""
    error: str = ""
    jitter: float = 1.0
    doubtful: bool = False


class Asked(msgspec.Struct, frozen=True):
    """What a step has to ask was asked, durably; its answer comes as `Answered`."""

    unit: str
    direction: Direction


class Decided(msgspec.Struct, frozen=True):
    """What `Decide` wanted to know: False when the step is not needed, the keys of a loop, the moment of a timer."""

    unit: str
    value: Any


class Resolved(msgspec.Struct, frozen=True):
    """A person says how a step came out, or skips it. `outcome` is ok, refused or skipped.

    `attempt` is the last one of which that was said; None where it is said of all there have been.
    """

    unit: str
    outcome: Outcome
    reason: str = ""
    attempt: int | None = None


class EndingFailed(msgspec.Struct, frozen=True):
    """The follow-up of the end raised: the end is tried again."""

    error: str
    jitter: float = 1.0


class Log(msgspec.Struct, frozen=True):
    """Append this line to the saga's log, in the commit that precedes whatever follows."""

    unit: str
    direction: Direction
    attempt: int
    outcome: Outcome
    error: str = ""


class Call(msgspec.Struct, frozen=True):
    """Do, undo or ask. Remote calls wait until the log is durable; all others belong into its transaction.

    `query`: ask the participant whether the step is there, instead of doing or undoing it outright.
    """

    unit: str
    leaf: Leaf
    direction: Direction
    attempt: int
    query: bool = False


class Decide(msgspec.Struct, frozen=True):
    """Read from the context what this node needs to know; answered by `Decided`."""

    unit: str


class Ready(msgspec.Struct, frozen=True):
    """A child has done its last step: tell its parent."""


class End(msgspec.Struct, frozen=True):
    """The saga has ended: every participant has confirmed its part."""

    status: SagaStatus
    reason: str


Event = (
    Begun
    | Resumed
    | Due
    | Hurried
    | CancelRequested
    | TurnedBack
    | Withdrawn
    | Answered
    | Asked
    | Decided
    | Resolved
    | EndingFailed
)
Command = Log | Call | Decide | Ready | End
Result = tuple[State, tuple[Command, ...]]
