"""What may come in the way of a saga: every trouble of every step that makes it turn back."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from bandstand.sagas import Approval, ChildSaga, Saga, SagaCommand, SagaStep, StepKind, WaitFor
from bandstand.sagas.plan import passes_pivot
from bandstand.sagas.steps import Leaf, Mode
from bandstand.testing.sagas.rewriting import with_children

__all__ = ["Scenario", "Trouble", "scenarios_of"]


class Trouble(StrEnum):
    """What happens to one step, whenever it is tried."""

    REFUSED = "is refused"
    UNANSWERED = "is done, and never answers"
    LATE = "arrives when all is over"
    WITHHELD = "never comes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One way of a saga. The trouble is that of the unit *number* of the step, counted as they are first tried.

    On the way back, and where it *stutters* on the way there as well, every first reply is lost and every first local
    attempt fails.
    """

    saga: str = ""
    step: str = ""
    trouble: Trouble | None = None
    number: int = 1
    stutters: bool = False

    @property
    def title(self) -> str:
        """What a person reads."""
        if self.trouble is None:
            return "every first attempt fails" if self.stutters else "all goes well"
        which = f" ({self.number})" if self.number > 1 else ""
        return f"{self.step}{which} {self.trouble}"

    def meets(self, saga: str, step: str, number: int = 1) -> Trouble | None:
        """The trouble of a unit."""
        return self.trouble if (self.saga, self.step, self.number) == (saga, step, number) else None


def scenarios_of(saga: Saga) -> Iterator[Scenario]:
    """All that can happen to *saga* and its children: to the end, and back from every step that can fail."""
    yield Scenario()
    yield Scenario(stutters=True)
    for one in with_children(saga):
        for leaf in _before_the_pivot(one):
            spot = one.plan.spot(leaf.name)
            is_looped = spot is not None and spot.each is not None
            for trouble in _troubles(one, leaf):
                for number in (1, 2) if is_looped and trouble is Trouble.REFUSED else (1,):
                    yield Scenario(saga=one.name, step=leaf.name, trouble=trouble, number=number)


def _before_the_pivot(saga: Saga) -> Iterator[Leaf]:
    for leaf in saga.plan.leaves:
        if leaf.kind is not StepKind.RETRIABLE:
            yield leaf
        if passes_pivot(leaf):
            return


def _troubles(saga: Saga, leaf: Leaf) -> Iterator[Trouble]:
    ends = leaf.timeout is not None or saga.deadline is not None
    match leaf:
        case SagaStep():
            yield Trouble.REFUSED
            if leaf.mode is Mode.CALL and leaf.undo is not None and ends:
                yield Trouble.UNANSWERED
                if leaf.query is None:  # a provider without tombstones forgets what came within its time
                    yield Trouble.LATE
        case Approval():
            yield Trouble.REFUSED
        case WaitFor() | SagaCommand() if leaf.take is not None:
            yield Trouble.REFUSED
    if leaf.mode is Mode.ASK and ends and not leaf.optional and not isinstance(leaf, ChildSaga):
        yield Trouble.WITHHELD
