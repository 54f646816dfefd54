"""The database of a simulated service: rows of sagas with their logs and signals."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from bandstand.sagas.definition import Saga
from bandstand.sagas.engine.members import CALL, DO, LOCAL, SAID_OK
from bandstand.sagas.protocol import Log, Outcome, State
from bandstand.sagas.steps import ChildSaga, Direction, Leaf, SagaCommand, StepKind

if TYPE_CHECKING:
    from bandstand.testing.simulation.node import Node

__all__ = ["Row", "Said", "Violation", "has_effect"]


class Violation(AssertionError):
    """A promise of the engine was broken; `rule` says which one."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


class Said(NamedTuple):
    """One signal to a saga; `outcome` is what it says of a step on its way in `direction`, up to `attempt`."""

    name: str
    unit: str = ""
    outcome: Outcome = SAID_OK
    direction: Direction = DO
    attempt: int | None = None


class Row:
    """One saga as it is stored. Without an owner it is open to any worker from `free_at` on."""

    __slots__ = (
        "children",
        "decided",
        "ended",
        "epoch",
        "excused",
        "forced",
        "free_at",
        "id",
        "intents",
        "log",
        "owner",
        "parent",
        "parent_unit",
        "passed",
        "saga",
        "signals",
        "state",
        "stolen",
    )

    def __init__(self, number: int, saga: Saga, state: State, free_at: datetime) -> None:
        self.id = number
        self.saga = saga
        self.state = state
        self.epoch = 1
        self.owner: Node | None = None
        self.free_at = free_at
        self.stolen = self.ended = self.forced = self.passed = False
        self.log: list[Log] = []
        self.intents: set[tuple[str, str, int]] = set()
        self.signals: list[Said] = []
        self.parent: Row | None = None
        self.parent_unit = ""
        self.children: dict[str, Row] = {}
        self.decided: dict[str, Any] = {}
        self.excused: set[str] = set()

    def is_claimable(self, now: datetime) -> bool:
        """Whether a worker may take it over: nobody owns it, or its owner has been silent for a lease."""
        if self.ended:
            return False
        if self.owner is None:
            return self.free_at <= now
        return self.stolen or self.owner.is_silent(now)

    def decide(self, node: str, draw: Callable[[], Any]) -> Any:
        """What the context says of *node*: drawn once, the same ever after."""
        if node not in self.decided:
            self.decided[node] = draw()
        return self.decided[node]


def has_effect(leaf: Leaf) -> bool:
    """Whether it changes anything anywhere."""
    if leaf.mode in (CALL, LOCAL):
        return leaf.is_undone or leaf.kind in (StepKind.PIVOT, StepKind.RETRIABLE)
    return isinstance(leaf, SagaCommand | ChildSaga)
