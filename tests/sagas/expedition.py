"""A saga that uses every construct, and the world around it: participants, a bus, a foreign provider, a ledger."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from bandstand import clock
from bandstand.errors import BusinessRuleViolated
from bandstand.events import Event, publish, subscribe_locally
from bandstand.sagas import (
    Approval,
    ChildSaga,
    Each,
    Found,
    Parallel,
    Saga,
    SagaCommand,
    SagaExecution,
    SagaStep,
    StepCall,
    StepKind,
    StepRefused,
    Timer,
    WaitFor,
)
from tests.sagas.shop import Participants, Shop, write_history

__all__ = ["Expedition", "GearWeighed", "Guide", "Trip", "World", "inhabit"]

SETTLES = timedelta(seconds=60)
"""The longest that a request to the foreign provider is on its way, and so the time that nobody may undo it within."""
SHOWS = timedelta(seconds=60)
"""The longest that the provider's books are behind what it has done."""
_BRIEF = timedelta(seconds=10)
_PATIENT = timedelta(seconds=200)


class BerthAsked(Event, name="project.berth_asked.v1", subject="key"):
    key: str
    back: bool


class BerthGiven(Event, name="project.berth_given.v1", subject="key"):
    key: str
    refused: bool


class BerthFreed(Event, name="project.berth_freed.v1", subject="key"):
    key: str


class GearWeighed(Event, name="project.gear_weighed.v1", subject="trip"):
    trip: str
    grams: int


@dataclass(frozen=True)
class Trip:
    """What the steps share."""

    trip: str
    stops: tuple[str, ...]
    insured: bool
    gift: bool
    rooms: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, str] = field(default_factory=dict)
    grams: int = 0


class Provider(Participants):
    """A participant that knows no tombstones, and whose books show only a while later what it has done."""

    def __init__(self) -> None:
        super().__init__(tombstones=False)
        self.moment: datetime | None = None
        """When what arrives has arrived, if that was before now."""
        self._done_at: dict[str, datetime] = {}

    def do(self, kind: str, key: str) -> None:
        """Apply once."""
        super().do(kind, key)
        self._done_at.setdefault(key, self.moment or clock.now())

    def shows(self, kind: str, key: str) -> bool:
        """Whether its books have the effect under *key*."""
        done_at = self._done_at.get(key)
        return done_at is not None and clock.now() - done_at >= SHOWS and self.net(kind, key) > 0


class World(Shop):
    """The participants, each behind a network of its own: HTTP, a bus, and a provider who knows no tombstones."""

    def __init__(self) -> None:
        super().__init__(Participants())
        self.foreign = Provider()
        self.bus: list[BerthAsked] = []
        self.astray: list[tuple[datetime, Callable[[], None]]] = []

    def call(self, name: str, apply: Callable[[], None]) -> None:
        """As ever; what is late on its way to the provider has its own time."""
        before = len(self.late)
        try:
            super().call(name, apply)
        finally:
            if name.startswith("charge") and len(self.late) > before:
                self.astray.append((clock.now(), self.late.pop()))

    def arrive_before(self, moment: datetime) -> None:
        """Let the requests to the provider arrive that cannot be on their way any more at *moment*."""
        for one in [one for one in self.astray if moment - one[0] >= SETTLES]:
            self.astray.remove(one)
            self.foreign.moment = one[0] + SETTLES
            one[1]()
        self.foreign.moment = None

    def deliver(self, number: int, *, keep: bool = False) -> None:
        """Hand one command of the bus to its participant, who answers over the bus; with *keep* it comes once more."""
        at = number % len(self.bus)
        command = self.bus[at] if keep else self.bus.pop(at)
        with transaction.atomic():
            publish(self._answer(command))

    def _answer(self, command: BerthAsked) -> Event:
        if command.back:
            self.participants.undo("berth", command.key)
            return BerthFreed(key=command.key)
        refused = self._next_fault("berth.do") == "refuse"
        if not refused:
            try:
                self.participants.do("berth", command.key)
            except BusinessRuleViolated:
                refused = True
        return BerthGiven(key=command.key, refused=refused)

    def may_change(self, key: str) -> bool:
        """Whether something is on its way that may be about *key*."""
        is_foreign = key.endswith(":charge")
        return bool(self.late or (is_foreign and self.astray) or any(command.key == key for command in self.bus))

    def net(self, key: str) -> int:
        """Effects under *key* that are not taken back, at whatever participant."""
        return self.participants.net("%", key) + self.foreign.net("%", key)


_world: list[World] = []


def inhabit(world: World) -> World:
    """Make *world* the one that the steps call."""
    _world[:] = [world]
    subscribe_locally(BerthAsked, _carry)
    return world


def _carry(command: BerthAsked, _: object) -> None:
    world = _world[0]
    transaction.on_commit(lambda: world.bus.append(command))


def _at(name: str) -> Participants:
    return _world[0].foreign if name == "charge" else _world[0].participants


def _do(name: str, change: Callable[[StepCall], Any] | None = None) -> Callable[[StepCall], Any]:
    def do(call: StepCall) -> Any:
        _world[0].call(f"{name}.do", lambda: _at(name).do(name, call.key))
        return change(call) if change else None

    return do


def _undo(name: str) -> Callable[[StepCall], None]:
    return lambda call: _world[0].call(f"{name}.undo", lambda: _at(name).undo(name, call.key))


def _step(name: str, change: Callable[[StepCall], Any] | None = None, **values: Any) -> SagaStep:
    return SagaStep(name, do=_do(name, change), undo=_undo(name), timeout=values.pop("timeout", _BRIEF), **values)


def _behind(name: str) -> SagaStep:
    return SagaStep(name, kind=StepKind.RETRIABLE, do=_do(name), timeout=_BRIEF)


def _find(call: StepCall) -> Found:
    found: list[bool] = []
    _world[0].call("charge.query", lambda: found.append(_world[0].foreign.shows("charge", call.key)))
    return Found.PRESENT if found[0] else Found.ABSENT


def _locally(name: str) -> Callable[[StepCall], None]:
    def write(call: StepCall) -> None:
        _world[0].call(f"{name}.do", lambda: None)
        write_history(call.context.trip, name)

    return write


def _berth(name: str, kind: StepKind) -> SagaCommand:
    is_undone = kind is not StepKind.RETRIABLE
    return SagaCommand(
        name,
        kind=kind,
        send=lambda call: BerthAsked(key=call.key, back=False),
        reply=BerthGiven,
        reply_key=lambda event: event.key,
        take=_berth_taken,
        recall=(lambda call: BerthAsked(key=call.key, back=True)) if is_undone else None,
        recalled=BerthFreed if is_undone else None,
        recalled_key=(lambda event: event.key) if is_undone else None,
    )


def _berth_taken(_: StepCall, event: BerthGiven) -> None:
    if event.refused:
        raise StepRefused("full")


def _weigh(_: StepCall, event: GearWeighed) -> dict[str, int]:
    if event.grams > 30_000:
        raise StepRefused("too_heavy")
    return {"grams": event.grams}


class Guide(Saga):
    """The child: two steps of its own."""

    name = "machine_guide"
    deadline = timedelta(seconds=900)
    steps = [_step("find"), _step("hire")]

    def begin(self, event: str) -> tuple[str, dict[str, str]]:
        return event, {"trip": event}


class Expedition(Saga):
    """Every construct once, on both sides of the pivot."""

    name = "machine_expedition"
    context = Trip
    deadline = timedelta(seconds=1200)
    steps = [
        Parallel(
            "prepare",
            [_step("look"), _step("reserve", renew_every=timedelta(seconds=40))],
            _berth("berth", StepKind.COMPENSATABLE),
            SagaStep("note", local=True, do=_locally("noted"), undo=_locally("unnoted")),
        ),
        Each("lodging", _step("room", lambda call: f"in {call.item}"), over=lambda trip: trip.stops, collect="rooms"),
        Each(
            "visas",
            Parallel("papers", _step("photo"), _step("visa", lambda call: f"for {call.item}")),
            over=lambda trip: trip.stops,
            collect="stamps",
            one_by_one=True,
        ),
        _step("gift", when=lambda trip: trip.gift),
        Parallel(
            "ready",
            WaitFor("gear", event=GearWeighed, key=lambda event: event.trip, take=_weigh, timeout=_PATIENT),
            ChildSaga("guide", saga=Guide, begin=lambda call: call.context.trip, when=lambda trip: trip.insured),
            Approval("weather", optional=True, timeout=timedelta(seconds=30)),
        ),
        Approval("manager", timeout=_PATIENT),
        Timer("sleep", until=timedelta(seconds=20)),
        _step("charge", kind=StepKind.PIVOT, query=_find, settle_after=SETTLES + _BRIEF),
        Parallel(
            "leave",
            [_behind("invoice"), SagaStep("book", kind=StepKind.RETRIABLE, local=True, do=_locally("booked"))],
            _berth("ship", StepKind.RETRIABLE),
            Timer("rest", until=timedelta(seconds=5)),
            Each("sights", _behind("ticket"), over=lambda trip: trip.stops),
            [Approval("praise", optional=True, timeout=timedelta(seconds=30))],
        ),
    ]

    def begin(self, event: Trip) -> tuple[str, Trip]:
        return event.trip, event

    def ended(self, execution: SagaExecution) -> None:
        _world[0].call("ended", lambda: None)
        write_history(execution.business_key, str(execution.status))
