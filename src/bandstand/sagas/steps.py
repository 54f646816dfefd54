"""What a saga is written with: steps, waits and groups of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

if TYPE_CHECKING:
    from bandstand.sagas.definition import Saga

__all__ = [
    "Approval",
    "ChildSaga",
    "Direction",
    "Each",
    "Found",
    "Group",
    "Leaf",
    "Mode",
    "Node",
    "Parallel",
    "Retry",
    "SagaCommand",
    "SagaStep",
    "StepCall",
    "StepFunction",
    "StepKind",
    "StepRefused",
    "Timer",
    "WaitFor",
]


class StepKind(StrEnum):
    """Where a step stands: before the point of no return, at it, or behind it."""

    COMPENSATABLE = "compensatable"
    PIVOT = "pivot"
    RETRIABLE = "retriable"


class Direction(StrEnum):
    """Which of a step's two functions is meant."""

    DO = "do"
    UNDO = "undo"


class Mode(StrEnum):
    """How a step is done."""

    CALL = "call"
    """Outside any transaction: a participant answers, or does not."""
    LOCAL = "local"
    """Within the transaction of its own log: exactly once."""
    ASK = "ask"
    """Asked within that transaction; the answer is a signal that comes later."""
    TIMER = "timer"
    """Nothing is done; a moment is waited for."""


class Found(StrEnum):
    """What a query by key found at a participant."""

    PRESENT = "present"
    ABSENT = "absent"


class StepRefused(Exception):
    """The participant has definitely said no: nothing happened and nothing will. `reason` is for machines."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCall:
    """What a step function receives.

    `key` is the same for every attempt of a step and for its undo: the participant must answer a repeat like the first
    call, and must remember an undo that arrives before its do. `context` is this call's own copy. `item` is the one at
    hand within `Each`. `effect_key` is the key of what an undo takes back: `key` itself, except for a late effect,
    which is undone under a key of its own.
    """

    saga_id: UUID
    key: str
    context: Any
    attempt: int
    item: Any = None
    effect_key: str = ""


StepFunction = Callable[[StepCall], Any]
"""Returns None, or what is merged into the context: a mapping of fields, or a whole new context."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """When a step is tried again: after `first`, then `factor` times longer each, `cap` at most, with full jitter.

    After `attempts` a step before or at the pivot is given up; behind the pivot it goes on at a pace of a minute.
    """

    first: timedelta = timedelta(milliseconds=100)
    factor: float = 2.0
    cap: timedelta = timedelta(seconds=5)
    attempts: int | None = None


@dataclass(frozen=True)
class Leaf:
    """What all steps and waits have in common.

    `when` looks at the context and says whether the step is needed. After `timeout` without a definite answer a step
    before or at the pivot is undone. `no_undo` says why a step before the pivot needs no undo. A `kind` of None fits
    on both sides of the pivot.
    """

    name: str
    _: KW_ONLY
    kind: StepKind | None = None
    when: Callable[[Any], bool] | None = None
    timeout: timedelta | None = None
    retry: Retry = field(default_factory=Retry)
    undo: StepFunction | None = None
    no_undo: str = ""

    mode: ClassVar[Mode]
    uncertain: ClassVar[bool] = False
    """Whether asking may have an effect at a participant."""
    optional: ClassVar[bool] = False
    settle_after: ClassVar[timedelta | None] = None
    repeat_every: ClassVar[timedelta | None] = None
    asks_once: ClassVar[bool] = False
    """Whether what was asked is never asked again: people remember, unlike programs."""

    @property
    def asks(self) -> bool:
        """Whether there is something to ask before the wait begins."""
        return False

    @property
    def has_query(self) -> bool:
        """Whether its participant can be asked, by key, what it knows."""
        return False

    @property
    def is_undone(self) -> bool:
        """Whether it has an undo."""
        return self.undo is not None

    @property
    def decides(self) -> bool:
        """Whether something must be read from the context before it begins."""
        return self.when is not None


@dataclass(frozen=True)
class SagaStep(Leaf):
    """One step: `do` returns what is merged into the context, `undo` takes it back, even where `do` never arrived.

    A `local` step touches only this service's database and runs in the transaction of its own log. A done step with
    `renew_every` is repeated with the same key while the saga goes forward.

    A participant without tombstones needs `query`, which says by key whether `do` has arrived, and `settle_after`, the
    longest that a request may be on its way: an uncertain step is then undone only after that time, and counts as never
    done only when two queries, that time apart, find nothing. After `horizon` the participant may have forgotten the
    key: `do` is not repeated any more, only queried.

    `listing` returns the keys of all effects that the participant holds since a moment: reconciliation compares them
    with the history.
    """

    _: KW_ONLY
    do: StepFunction
    kind: StepKind | None = StepKind.COMPENSATABLE
    local: bool = False
    timeout: timedelta | None = timedelta(seconds=30)
    renew_every: timedelta | None = None
    query: Callable[[StepCall], Found] | None = None
    settle_after: timedelta | None = None  # type: ignore[misc]  # what others never have
    listing: Callable[[datetime], Iterable[str]] | None = None
    horizon: timedelta = timedelta(hours=12)

    @property
    def mode(self) -> Mode:  # type: ignore[override]  # the one kind of step that comes in two modes
        """Local or remote."""
        return Mode.LOCAL if self.local else Mode.CALL

    @property
    def has_query(self) -> bool:
        """Whether there is a `query`."""
        return self.query is not None


@dataclass(frozen=True)
class WaitFor(Leaf):
    """Wait until *event* comes for this saga; `key` reads the saga's business key from the event.

    `take` returns what is merged into the context; it may raise StepRefused. After `timeout` the saga turns back, or
    goes on if `optional`. An event that comes before the wait has begun is kept for it.
    """

    _: KW_ONLY
    event: type[Any]
    key: Callable[[Any], Any]
    take: Callable[[StepCall, Any], Any] | None = None
    optional: bool = False  # type: ignore[misc]  # what others have for all is a choice here
    no_undo: str = "it only waits"

    mode = Mode.ASK


@dataclass(frozen=True)
class Approval(Leaf):
    """Wait until a person who has *permission* approves; a rejection is a definite no.

    `ask` runs once on entering, in the log's transaction: publish the event by which people hear of it. One that raises
    is tried again. After `timeout` the saga turns back, or goes on if `optional`.
    """

    _: KW_ONLY
    permission: str = ""
    ask: StepFunction | None = None
    optional: bool = False  # type: ignore[misc]  # as above
    no_undo: str = "it only waits"

    mode = Mode.ASK
    asks_once = True

    @property
    def asks(self) -> bool:
        """Whether people are told."""
        return self.ask is not None


@dataclass(frozen=True)
class Timer(Leaf):
    """Wait for a while, or until the moment that a function of the context returns."""

    _: KW_ONLY
    until: timedelta | Callable[[Any], datetime | timedelta]
    no_undo: str = "it only waits"

    mode = Mode.TIMER

    @property
    def decides(self) -> bool:
        """Always: the moment is fixed as it begins."""
        return True


@dataclass(frozen=True)
class SagaCommand(Leaf):
    """Ask a participant over the bus: `send` returns the command to publish, `reply` is the event that answers it.

    `reply_key` reads the key of the call from the reply, `take` returns what is merged into the context or raises
    StepRefused. `recall` returns the command that undoes it and `recalled` the event that confirms this. Without an
    answer a command is published again every `repeat_every`; both sides go by the key of the call.
    """

    _: KW_ONLY
    send: Callable[[StepCall], Any]
    reply: type[Any]
    reply_key: Callable[[Any], str]
    take: Callable[[StepCall, Any], Any] | None = None
    recall: Callable[[StepCall], Any] | None = None
    recalled: type[Any] | None = None
    recalled_key: Callable[[Any], str] | None = None
    repeat_every: timedelta = timedelta(seconds=5)  # type: ignore[misc]  # as above
    kind: StepKind | None = StepKind.COMPENSATABLE
    timeout: timedelta | None = timedelta(seconds=60)

    mode = Mode.ASK
    uncertain = True
    asks = True

    @property
    def is_undone(self) -> bool:
        """Whether it can be recalled."""
        return self.recall is not None


@dataclass(frozen=True)
class ChildSaga(Leaf):
    """Start another saga of this service and wait until all of its steps are done.

    `begin` returns what the child's own `begin` receives. The child stays open until the parent ends: it completes
    with the parent, and is undone with it.
    """

    _: KW_ONLY
    saga: "type[Saga]"
    begin: Callable[[StepCall], Any]
    take: Callable[[StepCall, Any], Any] | None = None
    kind: StepKind | None = StepKind.COMPENSATABLE
    no_undo: str = "the child undoes itself"

    mode = Mode.ASK
    uncertain = True
    asks = is_undone = True


@dataclass(frozen=True, init=False)
class Parallel:
    """Branches that run side by side; what follows begins when all of them are done.

    A branch is one node or a list of them. Each step returns only what it changes; two branches never change the same
    field.
    """

    name: str
    branches: tuple[tuple["Node", ...], ...]
    when: Callable[[Any], bool] | None = None

    def __init__(
        self, name: str, *branches: "Node | Sequence[Node]", when: Callable[[Any], bool] | None = None
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "branches", tuple(_sequence(branch) for branch in branches))
        object.__setattr__(self, "when", when)

    @property
    def decides(self) -> bool:
        """Whether something must be read from the context before it begins."""
        return self.when is not None


@dataclass(frozen=True, init=False)
class Each:
    """The same steps for every item of `over(context)`, side by side or one after another, each under `key(item)`.

    The keys, of letters, digits and `._~-`, are fixed as the loop begins, and what `over` reads may not change while
    the saga lives. What an item's step returns is collected in the context's field `collect`, a mapping by item key.
    """

    name: str
    steps: tuple["Node", ...]
    over: Callable[[Any], Iterable[Any]]
    key: Callable[[Any], str]
    collect: str
    one_by_one: bool
    when: Callable[[Any], bool] | None

    def __init__(
        self,
        name: str,
        *steps: "Node",
        over: Callable[[Any], Iterable[Any]],
        key: Callable[[Any], str] = str,
        collect: str = "",
        one_by_one: bool = False,
        when: Callable[[Any], bool] | None = None,
    ) -> None:
        values: Mapping[str, Any] = {
            "name": name,
            "steps": steps,
            "over": over,
            "key": key,
            "collect": collect,
            "one_by_one": one_by_one,
            "when": when,
        }
        for field_name, value in values.items():
            object.__setattr__(self, field_name, value)

    decides: ClassVar[bool] = True


Group = Parallel | Each
Node = Leaf | Parallel | Each


def _sequence(branch: "Node | Sequence[Node]") -> tuple["Node", ...]:
    return (branch,) if isinstance(branch, Leaf | Parallel | Each) else tuple(branch)
