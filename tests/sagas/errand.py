"""A saga that people take part in: something to approve, something to hear, a moment to wait for, sealed fields."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from bandstand.events import Event
from bandstand.sagas import Approval, Each, Saga, SagaStep, Sensitive, StepCall, StepKind, Timer, WaitFor

__all__ = ["Errand", "Errands", "KeysFound"]


class KeysFound(Event, name="project.keys_found.v1", subject="owner"):
    owner: str


@dataclass(frozen=True)
class Errands:
    """What the steps of an errand share."""

    owner: str
    places: tuple[str, ...] = ()
    pin: Annotated[str, Sensitive] = ""
    price: int = 0


def _quote(_: StepCall) -> dict[str, object]:
    return {"price": 4200, "pin": "0000"}


def _nothing(_: StepCall) -> None:
    return None


class Errand(Saga):
    """Ask the price, have it approved, go everywhere, wait for the keys and a moment, pay, deliver."""

    name = "test_errand"
    context = Errands
    deadline = timedelta(hours=12)
    steps = [
        SagaStep("quote", do=_quote, no_undo="reads only"),
        Approval("manager", permission="orders.approve_errand", timeout=timedelta(hours=8)),
        Each("stops", SagaStep("visit", do=_nothing, undo=_nothing), over=lambda errands: errands.places),
        WaitFor("keys", event=KeysFound, key=lambda event: event.owner, timeout=timedelta(hours=1), optional=True),
        Timer("cool_off", until=timedelta(minutes=10)),
        SagaStep("pay", kind=StepKind.PIVOT, do=_nothing),
    ]

    def begin(self, event: Errands) -> tuple[str, Errands]:
        """One errand at a time for each owner."""
        return event.owner, event
