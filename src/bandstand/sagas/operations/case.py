"""A saga as a person looks at it: its row, its declaration if there is one, and where it stands."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from bandstand.sagas.definition import Saga
from bandstand.sagas.engine.move import OUTSIDE, Move
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.plan import Plan
from bandstand.sagas.protocol import Position, SagaStatus, State
from bandstand.sagas.registry import sagas
from bandstand.sagas.runs import read_state
from bandstand.sagas.steps import Direction, Leaf

__all__ = ["Case", "declared"]


def declared(row: SagaExecution) -> Saga | None:
    """The declaration by which this release goes on with a saga: its own version, or the newest that upgrades it."""
    newest = sagas.get(row.type)
    return sagas.get(row.type, row.version) or (newest if newest and row.version in newest.upgrades else None)


@dataclass(frozen=True)
class Case:
    """One saga at one moment."""

    row: SagaExecution
    now: datetime

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.row.lease_until is not None

    @cached_property
    def saga(self) -> Saga | None:
        """Its declaration, if this release has one."""
        return declared(self.row)

    @cached_property
    def plan(self) -> Plan:
        """Its steps as declared; none when this release does not know it."""
        return self.saga.plan if self.saga is not None else Plan(())

    @cached_property
    def state(self) -> State:
        """What the engine keeps of it; of one that has ended, what its row says."""
        if self.is_live:
            return read_state(self.row.state)
        return State(status=SagaStatus(self.row.status), direction=Direction(self.row.direction))

    @property
    def is_undoing(self) -> bool:
        """Whether it is on the way back."""
        return self.state.direction is Direction.UNDO

    @property
    def is_turning_back(self) -> bool:
        """Whether it is on the way back, or will be as soon as the calls under way are answered."""
        return self.is_undoing or self.state.ending is not None

    @property
    def is_past_pivot(self) -> bool:
        """Whether it can only go forward, unless a person forces it back."""
        return Move(self.plan, self.state, self.now).is_past_pivot

    @property
    def at_hand(self) -> dict[str, Position]:
        """The steps at hand, by unit."""
        return {position.unit: position for position in self.state.at if position.unit not in OUTSIDE}

    def leaf(self, unit: str) -> Leaf | None:
        """The declaration of a unit, if this release has it."""
        return self.plan.leaf(unit)

    def is_known(self, unit: str) -> bool:
        """Whether this release has a step, wait or group of that name."""
        return self.plan.spot(unit) is not None
