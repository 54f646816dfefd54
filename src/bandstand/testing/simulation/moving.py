"""One simulated saga on its way through a wave: the semantics of `bandstand.sagas.wave`, without a database."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from bandstand.sagas import engine
from bandstand.sagas.engine.members import ASK, CALL, DO, SAID_OK, SAID_REFUSED, UNDO
from bandstand.sagas.engine.move import PARENT
from bandstand.sagas.protocol import (
    Answered,
    Asked,
    Call,
    CancelRequested,
    Command,
    Decide,
    Decided,
    End,
    EndingFailed,
    Event,
    Hurried,
    Log,
    Outcome,
    Position,
    Ready,
    Resolved,
    SagaStatus,
    TurnedBack,
    Withdrawn,
)
from bandstand.sagas.steps import ChildSaga, Direction, Each, SagaCommand, Timer
from bandstand.sagas.transitions import Phase
from bandstand.testing.simulation.chance import Fate
from bandstand.testing.simulation.storage import Row, Said

if TYPE_CHECKING:
    from bandstand.testing.simulation.node import View
    from bandstand.testing.simulation.world import World

__all__ = ["NOT_YET", "Birth", "Moving"]

NOT_YET = object()
_WAITING = (Phase.PAUSING, Phase.RESTING)
_KEYS = (("a", "b"),) * 128 + (("a",),) * 48 + ((),) * 32 + (("a", "b", "c"),) * 48
_WHEN = (True,) * 192 + (False,) * 64
_UNTIL = timedelta(minutes=10)


class Birth(NamedTuple):
    """A child that is born with a wave, perhaps to be undone at once."""

    unit: str
    leaf: ChildSaga
    is_undone: bool = False


class Moving:
    """What one wave does to one saga; nothing of it is there before `World.commit`."""

    __slots__ = (
        "births",
        "effects",
        "end",
        "heard",
        "lines",
        "messages",
        "now",
        "pending",
        "row",
        "said",
        "state",
        "view",
        "was_forced",
        "world",
    )

    def __init__(self, world: "World", view: "View", now: datetime) -> None:
        self.world, self.view, self.row, self.now = world, view, view.row, now
        self.state = view.state
        self.pending: list[Call] = []
        self.lines: list[Log] = []
        self.effects: list[tuple[str, Direction]] = []
        self.messages: list[tuple[str, Direction]] = []
        self.births: dict[str, Birth] = {}
        self.said: list[tuple[Row, Said]] = []
        self.heard: list[Said] = []
        self.end: End | None = None
        self.was_forced = False

    def take_in(self, happened: Event) -> None:
        """Take in what happened, and all that follows from it within the transaction."""
        queue: deque[Event] = deque((happened,))
        saga, now = self.row.saga, self.now
        while queue and self.end is None:
            self.state, commands = engine.step(saga, self.state, queue.popleft(), now)
            for command in commands:
                kind = type(command)
                if kind is Log:
                    self.lines.append(command)  # type: ignore[arg-type]  # its type was just compared
                else:
                    queue.extend(self._obey(command))

    def listen(self) -> None:
        """Take in what was said, until nothing that is left fits."""
        left = [one for one in self.row.signals if one not in self.heard]
        while left and self.end is None:
            rest = [one for one in left if not self._hear(one)]
            if len(rest) == len(left):
                return
            left = rest

    def calls(self) -> list[Call]:
        """The remote calls that are still wanted."""
        at_hand = {position.unit: position.attempt for position in self.state.at if position.next_at is None}
        return [call for call in self.pending if at_hand.get(call.unit) == call.attempt]

    # ---- signals, as in `bandstand.sagas.taking`

    def _hear(self, said: Said) -> bool:
        taken = self._taken(said)
        if taken is NOT_YET:
            return False
        self.heard.append(said)
        if taken is not None:
            self.take_in(taken)
        return True

    def _taken(self, said: Said) -> Any:
        match said.name:
            case "cancel":
                return CancelRequested()
            case "compensate":
                self.was_forced = True
                return TurnedBack("compensated")
            case "retry":
                return Hurried()
            case "skip" | "resolve":
                return self._resolved(said)
            case "parent_ended":
                waits = any(one.unit == PARENT for one in self.state.at) or self.state.direction is UNDO
                return Answered(PARENT, DO, SAID_OK) if waits else NOT_YET
            case _:
                return self._awaited(said)

    def _awaited(self, said: Said) -> Any:
        state = self.state
        position = self._waits(said.unit)
        if position is None:
            withdrawn = said.unit in state.done and said.unit not in state.buried and state.direction is DO
            if withdrawn and said.name == "child_ended":
                return Withdrawn("its child has ended")
            if said.unit in state.done or state.direction is UNDO:
                return None
            return NOT_YET
        if state.direction is UNDO:
            undone = said.name in ("recalled", "child_ended")
            return Answered(said.unit, UNDO, SAID_OK) if undone else None
        if said.name == "recalled":
            return None
        reason = "refused" if said.outcome is SAID_REFUSED else ""
        return Answered(said.unit, DO, said.outcome, reason=reason)

    def _resolved(self, said: Said) -> Any:
        """What an operator says counts on the way on which it was meant, and not while a call is under way."""
        position = next((one for one in self.state.at if one.unit == said.unit), None)
        if position is None or said.direction is not self.state.direction:
            return None
        return NOT_YET if position.phase not in _WAITING else Resolved(said.unit, said.outcome, attempt=said.attempt)

    def _waits(self, unit: str) -> Position | None:
        return next((one for one in self.state.at if one.unit == unit and one.phase in _WAITING and one.attempt), None)

    # ---- commands

    def _obey(self, command: Command) -> Iterator[Event]:
        match command:
            case Call():
                if command.leaf.mode is CALL:
                    self.pending.append(command)
                else:
                    yield self._run_local(command)
            case Decide():
                yield self._decided(command.unit)
            case Ready():
                self._tell_parent()
            case End():
                yield from self._end(command)

    def _run_local(self, call: Call) -> Event:
        fate = self.world.chance.pick(self.world.profile.local)
        if fate is Fate.ERROR:
            return Answered(call.unit, call.direction, Outcome.FAILED, error="rolled back")
        if call.leaf.mode is ASK:
            self._ask(call)
            return Asked(call.unit, call.direction)
        if fate is Fate.REFUSED:
            return Answered(call.unit, call.direction, SAID_REFUSED, reason="refused")
        self.effects.append((call.unit, call.direction))
        return Answered(call.unit, call.direction, SAID_OK)

    def _ask(self, call: Call) -> None:
        leaf, unit = call.leaf, call.unit
        if isinstance(leaf, SagaCommand):
            self.messages.append((unit, call.direction))
        elif isinstance(leaf, ChildSaga):
            child = self.row.children.get(unit)
            if call.direction is DO:
                if child is None:
                    self.births.setdefault(unit, Birth(unit, leaf))
            elif unit in self.births:
                self.births[unit] = Birth(unit, leaf, is_undone=True)
            elif child is None or child.ended:
                self.said.append((self.row, Said("child_ended", unit, SAID_REFUSED)))
            else:
                self.said.append((child, Said("compensate")))

    def _decided(self, unit: str) -> Event:
        if self.world.chance.pick(self.world.profile.local) is Fate.ERROR:
            return Answered(unit, DO, Outcome.FAILED, error="a fault of the saga's code")
        spot = self.row.saga.plan.spot(unit)
        if spot is None:
            raise LookupError(unit)
        node, chance = spot.node, self.world.chance
        value: Any = True
        if node.when is not None and not self.row.decide(unit, lambda: chance.pick(_WHEN)):
            value = False
        elif isinstance(node, Each):
            value = self.row.decide(f"{unit} over", lambda: chance.pick(_KEYS))
        elif isinstance(node, Timer):
            value = self.now + (node.until if isinstance(node.until, timedelta) else _UNTIL)
        return Decided(unit, value)

    def _end(self, end: End) -> Iterator[Event]:
        if self.world.chance.pick(self.world.profile.local) is Fate.ERROR:
            yield EndingFailed("the follow-up raised", 0.5)
            return
        self._tell_parent()
        children = [child for child in self.row.children.values() if not child.ended]
        self.said += [(child, Said("parent_ended")) for child in children]
        self.end = end

    def _tell_parent(self) -> None:
        parent, status = self.row.parent, self.state.status
        if parent is None or status is SagaStatus.COMPLETED:
            return
        name, outcome = ("child_ended", SAID_REFUSED) if status.is_final else ("child_ready", SAID_OK)
        self.said.append((parent, Said(name, self.row.parent_unit, outcome)))
