"""How a saga is declared: its name and version, its steps, and what starts and ends it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from bandstand.sagas.limits import Limit, Priority
from bandstand.sagas.plan import Plan
from bandstand.sagas.registry import sagas
from bandstand.sagas.steps import Direction, Leaf, Mode, Node

if TYPE_CHECKING:
    from bandstand.sagas.models import SagaExecution

__all__ = ["MOMENTS", "Saga"]

MOMENTS = ("before_intent", "after_intent", "after_call", "after_log")
"""The moments of a step at which a crash can be ordered, in the order of a run."""


class Saga:
    """Base of all sagas. A subclass with a `name` is declared by its class statement.

    `context` is the frozen dataclass that its steps share; without one they share a mapping of JSON values.
    `starts_on` is the event of this service that starts it, in the transaction that publishes the event.
    `deadline` bounds the way to the pivot; behind it the saga only goes forward.

    `limit` says how many may be under way and how fast they begin, `priority` which are taken up first.

    A saga keeps the `version` under which it began. Declare the older version beside the newer one as long as sagas of
    it live, or say in `upgrades` how each older version's context becomes this one's, and in `renamed` which steps go
    by another name now.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    context: ClassVar[type[Any] | None] = None
    starts_on: ClassVar[type[Any] | None] = None
    deadline: timedelta | None = timedelta(seconds=120)
    steps: ClassVar[Sequence[Node]] = ()
    limit: ClassVar[Limit | None] = None
    priority: ClassVar[Priority] = Priority.NORMAL
    upgrades: ClassVar[Mapping[int, Callable[[dict[str, Any]], Mapping[str, Any]]]] = {}
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("name"):
            sagas.add(cls())

    @cached_property
    def plan(self) -> Plan:
        """The steps as the engine reads them."""
        return Plan(self.steps, patience=self.deadline)

    def begin(self, event: Any) -> tuple[str, Any]:
        """Return the business key, unique among the sagas of this type, and the first context.

        The context is stored and shown: identifiers and amounts, never secrets or personal data.
        """
        raise NotImplementedError

    def ended(self, execution: "SagaExecution") -> None:
        """Follow up the end in the transaction that records it; `execution.status` and `.reason` say how it ended.

        If this raises, the end is not recorded and is tried again.
        """

    def step(self, name: str) -> Leaf | None:
        """The step called *name*, or None when this release of the saga has none."""
        return self.plan.leaf(name)

    def crash_points(self) -> list[str]:
        """The names of all moments at which a crash can be ordered, in the order of a run. A mere wait has none."""
        return [
            f"saga.{self.name}.{leaf.name}.{direction}.{moment}"
            for leaf in self.plan.leaves
            for direction in (Direction.DO, Direction.UNDO)
            for moment in MOMENTS
            if (leaf.is_undone if direction is Direction.UNDO else leaf.mode in (Mode.CALL, Mode.LOCAL) or leaf.asks)
        ]
