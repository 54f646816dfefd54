"""How a saga is declared: steps with their kinds, the call each step receives, and what starts and ends it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from bandstand.sagas.registry import sagas

if TYPE_CHECKING:
    from bandstand.sagas.models import SagaExecution

__all__ = ["Direction", "Saga", "SagaStep", "StepCall", "StepFunction", "StepKind", "StepRefused"]


class StepKind(StrEnum):
    """Where a step stands: before the point of no return, at it, or behind it."""

    COMPENSATABLE = "compensatable"
    PIVOT = "pivot"
    RETRIABLE = "retriable"


class Direction(StrEnum):
    """Which of a step's two functions is meant."""

    DO = "do"
    UNDO = "undo"


class StepRefused(Exception):
    """The participant has definitely said no: nothing happened and nothing will. `reason` is for machines."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCall:
    """What a step function receives.

    `key` is the same for every attempt of a step and for its undo: the participant must answer a repeat like the first
    call, and must remember an undo that arrives before its do. `context` is this call's own copy.
    """

    saga_id: UUID
    key: str
    context: Mapping[str, Any]
    attempt: int


StepFunction = Callable[[StepCall], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class SagaStep:
    """One step: `do` returns what is merged into the context, `undo` takes it back, even where `do` never arrived.

    A `local` step touches only this service's database and runs in the transaction of its own log. After `timeout`
    without a definite answer a step before or at the pivot is undone. A done step with `renew_every` is repeated with
    the same key while the saga goes forward. `no_undo` says why a step before the pivot needs no undo.
    """

    name: str
    _: KW_ONLY
    do: StepFunction
    undo: StepFunction | None = None
    kind: StepKind = StepKind.COMPENSATABLE
    local: bool = False
    timeout: timedelta = timedelta(seconds=30)
    renew_every: timedelta | None = None
    no_undo: str = ""

    def function(self, direction: Direction) -> StepFunction:
        """The function to call in *direction*."""
        if direction is Direction.DO:
            return self.do
        if self.undo is None:
            raise LookupError(f"the step {self.name!r} has no undo")
        return self.undo


_MOMENTS = ("before_intent", "after_intent", "after_call", "after_log")


class Saga:
    """Base of all sagas. A subclass with a `name` is declared by its class statement.

    `starts_on` is the event of this service that starts it, in the transaction that publishes the event.
    `deadline` bounds the way to the pivot; behind it the saga only goes forward.
    """

    name: ClassVar[str] = ""
    starts_on: ClassVar[type[Any] | None] = None
    deadline: timedelta | None = timedelta(seconds=120)
    steps: ClassVar[Sequence[SagaStep]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("name"):
            sagas.add(cls())

    def begin(self, event: Any) -> tuple[str, Mapping[str, Any]]:
        """Return the business key, unique among the sagas of this type, and the first context.

        The context is stored and shown: identifiers and amounts, never secrets or personal data.
        """
        raise NotImplementedError

    def ended(self, execution: "SagaExecution") -> None:
        """Follow up the end in the transaction that records it; `execution.status` and `.reason` say how it ended.

        If this raises, the end is not recorded and is tried again.
        """

    def step(self, name: str) -> SagaStep | None:
        """The step called *name*, or None when this release of the saga has none."""
        return next((step for step in self.steps if step.name == name), None)

    def after(self, name: str) -> SagaStep | None:
        """The step that follows *name*, or None behind the last."""
        names = [step.name for step in self.steps]
        index = names.index(name) + 1
        return self.steps[index] if index < len(names) else None

    def crash_points(self) -> list[str]:
        """The names of all moments at which a crash can be ordered, in the order of a run."""
        return [
            f"saga.{self.name}.{step.name}.{direction}.{moment}"
            for step in self.steps
            for direction in (Direction.DO, Direction.UNDO)
            for moment in ("before_intent", "after_intent", "after_call", "after_log")
            if direction is Direction.DO or step.undo
        ]
