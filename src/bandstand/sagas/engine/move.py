"""One move of the engine while it is being made: the state as it changes, and the commands that arise."""

from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from bandstand.sagas.engine.members import CALL, RESTING, RETRIABLE, UNDO
from bandstand.sagas.engine.patience import PARK_AFTER
from bandstand.sagas.plan import Plan
from bandstand.sagas.protocol import (
    Command,
    Log,
    Outcome,
    Position,
    Result,
    SagaStatus,
    State,
)
from bandstand.sagas.transitions import Heard, Stance

__all__ = ["END", "OUTSIDE", "PARENT", "QUEUE", "START", "Hearing", "Move", "Why"]

START, QUEUE = "~start", "~queue"
"""Places before the first step: the moment of a start is waited for; a limit holds the saga back."""
END, PARENT = "~end", "~parent"
"""Places behind the last step: its follow-up is tried again; a child waits for its parent to end."""
OUTSIDE = (START, QUEUE, END, PARENT)


Why = tuple[SagaStatus, str]
"""How a saga will end, and the reason."""


class Hearing(NamedTuple):
    """What was heard of a step, and how the saga stands to it; `why` it ends if it turns back over this."""

    heard: Heard
    stance: Stance
    why: Why | None = None
    jitter: float = 1.0


class Move:
    """What one event does to one saga, at one moment."""

    __slots__ = ("commands", "now", "plan", "state")

    def __init__(self, plan: Plan, state: State, now: datetime) -> None:
        self.plan = plan
        self.state = state
        self.now = now
        self.commands: list[Command] = []

    def result(self) -> Result:
        """The next state, with the status that describes it, and the commands in order."""
        status = self._status()
        state = self.state if status is self.state.status else replace(self.state, status=status)
        return state, tuple(self.commands)

    @property
    def is_past_pivot(self) -> bool:
        """Whether the pivot lies behind, or the step at hand can only go forward."""
        state = self.state
        if state.forced:
            return False
        leaves = (self.plan.leaf(position.unit) for position in state.at)
        return state.forward or any(leaf is not None and leaf.kind is RETRIABLE for leaf in leaves)

    @property
    def is_unwanted(self) -> bool:
        """Whether the saga is to be undone, for whatever reason but the patience of a single step."""
        state = self.state
        late = state.deadline is not None and self.now >= state.deadline
        return state.ending is not None or state.forced or ((late or state.cancel_requested) and not self.is_past_pivot)

    def position(self, unit: str) -> Position | None:
        """The place of *unit* among the steps at hand."""
        for position in self.state.at:  # a loop, here and below: it costs half of what a generator does
            if position.unit == unit:
                return position
        return None

    def holds(self, position: Position) -> bool:
        """Whether this very position is at hand still."""
        return any(position is one for one in self.state.at)

    def change(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.state = replace(self.state, **changes)

    def add(self, position: Position) -> Position:
        """Have one more step at hand."""
        self.state = replace(self.state, at=(*self.state.at, position))
        return position

    def amend(self, position: Position, **changes: Any) -> Position:
        """Change a step at hand; returns what it is now."""
        amended = replace(position, **changes)
        at = [amended if one is position else one for one in self.state.at]
        self.state = replace(self.state, at=tuple(at))
        return amended

    def remove(self, position: Position, **changes: Any) -> None:
        """Have a step at hand no more."""
        at = [one for one in self.state.at if one is not position]
        self.state = replace(self.state, at=tuple(at), **changes)

    def log(self, position: Position, outcome: Outcome, error: str = "") -> None:
        """Note how an attempt came out."""
        self.commands.append(Log(position.unit, self.state.direction, position.attempt, outcome, error))

    def _status(self) -> SagaStatus:
        state = self.state
        if not state.at:
            return state.status
        if state.at[0].unit in (START, QUEUE):
            return SagaStatus.PENDING
        undoing = state.direction is UNDO
        doubtful = waiting = False
        for position in state.at:
            leaf = self.plan.leaf(position.unit)
            if leaf is None and self.plan.spot(position.unit) is None and position.unit not in OUTSIDE:
                return SagaStatus.PARKED
            failed = position.attempt > PARK_AFTER or (position.attempt == PARK_AFTER and position.phase is RESTING)
            if undoing and failed:
                return SagaStatus.COMPENSATION_FAILED
            doubtful = doubtful or (position.doubt and leaf is not None and leaf.mode is CALL)
            waiting = waiting or position.next_at is None
        if undoing or state.ending is not None:
            return SagaStatus.COMPENSATING
        if doubtful:
            return SagaStatus.UNKNOWN
        return SagaStatus.RUNNING if waiting else SagaStatus.WAITING
