"""What the saga engine is told and what it answers: states, events and commands, all of them plain values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bandstand.sagas.definition import Direction, SagaStep

__all__ = [
    "LIVE",
    "Answered",
    "Begun",
    "Call",
    "CancelRequested",
    "Command",
    "Due",
    "End",
    "EndingFailed",
    "Event",
    "Log",
    "Outcome",
    "Result",
    "Resumed",
    "SagaStatus",
    "State",
    "Wait",
    "Withdrawn",
]


class SagaStatus(StrEnum):
    """Where a saga is. The last three are final; `compensation_failed` is parked: visible, and still retried slowly."""

    RUNNING = "running"
    WAITING = "waiting"
    COMPENSATING = "compensating"
    COMPENSATION_FAILED = "compensation_failed"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the saga has ended."""
        return self not in LIVE


LIVE = frozenset(
    {SagaStatus.RUNNING, SagaStatus.WAITING, SagaStatus.COMPENSATING, SagaStatus.COMPENSATION_FAILED},
)


class Outcome(StrEnum):
    """What the log says of an attempt. `failed`: surely nothing was sent; `unknown`: it may have happened."""

    INTENT = "intent"
    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """Everything the engine knows of one saga.

    `step`, `direction` and `attempt` name the call at hand; `since` is when that step was first intended. `next_at`
    is set exactly while no call is under way. `done` are the steps that happened or may have happened and are not
    undone. `ending` and `reason` are set once the saga has turned back.
    """

    status: SagaStatus
    step: str
    direction: Direction = Direction.DO
    attempt: int = 0
    since: datetime
    next_at: datetime | None = None
    deadline: datetime | None = None
    done: tuple[str, ...] = ()
    ending: SagaStatus | None = None
    reason: str = ""
    error: str = ""
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """The saga's row exists; nothing was intended yet."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """This worker took the saga over: a call that was under way has an unknown outcome."""


@dataclass(frozen=True, slots=True)
class Due:
    """The moment `next_at` has come."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wishes the saga undone."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A participant has taken back a step that was done: a renewal was refused."""

    reason: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The call at hand ended. `jitter`, in [0, 1), spreads the next attempt.

    `doubtful` marks a refusal of a repetition that the client made by itself: an earlier copy may be on its way.
    """

    outcome: Outcome
    reason: str = ""
    error: str = ""
    jitter: float = 1.0
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class EndingFailed:
    """The follow-up of the end raised: the end is tried again."""

    error: str
    jitter: float = 1.0


Event = Begun | Resumed | Due | CancelRequested | Withdrawn | Answered | EndingFailed


@dataclass(frozen=True, slots=True)
class Log:
    """Append this line to the saga's log, in the commit that precedes whatever follows."""

    step: str
    direction: Direction
    attempt: int
    outcome: Outcome
    error: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """Once the log is durable, call this step; its outcome comes back as `Answered`."""

    step: SagaStep
    direction: Direction
    attempt: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before this moment."""

    until: datetime


@dataclass(frozen=True, slots=True)
class End:
    """The saga has ended: every participant has confirmed its part."""

    status: SagaStatus
    reason: str


Command = Log | Call | Wait | End
Result = tuple[State, tuple[Command, ...]]
