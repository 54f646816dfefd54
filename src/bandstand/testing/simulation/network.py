"""The simulated network: requests and replies that get lost, come twice, late or long after everything has ended."""

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bandstand.sagas.engine.members import DO, SAID_ABSENT, SAID_OK, SAID_REFUSED
from bandstand.sagas.protocol import Answered, Call, Outcome, Withdrawn
from bandstand.sagas.steps import Direction, Leaf, SagaStep
from bandstand.testing.simulation.chance import LONG, SHORT, Fate
from bandstand.testing.simulation.node import Node, View
from bandstand.testing.simulation.participants import Effect, Foreign, Participant
from bandstand.testing.simulation.storage import Row, Said, Violation

if TYPE_CHECKING:
    from bandstand.testing.simulation.world import World

__all__ = ["Network"]

HOP = timedelta(milliseconds=5)
CLIENT_TIMEOUT = timedelta(seconds=1)


class _Request(NamedTuple):
    node: Node
    view: View
    call: Call
    is_heard: bool
    """Whether the caller waits for the reply still."""
    is_repeated: bool = False
    is_renewal: bool = False


class Network:
    """Everything that is on its way between workers and participants, and what the participants hold."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._participants: dict[str, Participant] = {}
        self.effects: dict[tuple[int, str], Effect] = {}
        self.flying: dict[tuple[int, str], int] = {}

    def effect(self, row: Row, unit: str) -> Effect:
        """What there is under the key of a step."""
        key = (row.id, unit)
        effect = self.effects.get(key)
        if effect is None:
            effect = self.effects[key] = Effect()
        return effect

    # ---- requests

    def call(self, node: Node, view: View, call: Call) -> None:
        """Send one request, whose intent must be durable."""
        if (call.unit, call.direction, call.attempt) not in view.row.intents:
            raise Violation("an intent precedes its call", f"{call.direction} {call.unit} {call.attempt}")
        self._send(_Request(node, view, call, is_heard=True))

    def renew(self, node: Node, view: View, call: Call) -> None:
        """Repeat a done step."""
        self._send(_Request(node, view, call, is_heard=True, is_renewal=True))

    def _send(self, request: _Request) -> None:
        world, call = self._world, request.call
        fate = world.chance.pick(world.profile.request)
        if world.trace is not None:
            world.tell(f"worker {request.node.number} calls {_named(request)}: {fate}")
        match fate:
            case Fate.FINE:
                self._fly(request, HOP)
            case Fate.SLOW:
                self._fly(request, world.chance.pick(SHORT))
            case Fate.UNSENT:
                world.at(world.now + HOP, self._answer, request, Outcome.FAILED)
            case Fate.DOUBLED:
                self._fly(request._replace(is_heard=False), self._late(call.leaf))
                self._fly(request._replace(is_repeated=True), HOP)
            case Fate.LATE:
                self._fly(request._replace(is_heard=False), self._late(call.leaf))
                world.at(world.now + CLIENT_TIMEOUT, self._answer, request, Outcome.UNKNOWN)
            case _:
                world.at(world.now + CLIENT_TIMEOUT, self._answer, request, Outcome.UNKNOWN)

    def _late(self, leaf: Leaf) -> timedelta:
        """How long a request is on its way; to those without tombstones never longer than was promised."""
        pause: timedelta = self._world.chance.pick(LONG)
        settled = leaf.settle_after if isinstance(leaf, SagaStep) else None
        return pause if settled is None else min(pause, settled * 0.9)

    def _fly(self, request: _Request, pause: timedelta) -> None:
        key = (request.view.row.id, request.call.unit)
        self.flying[key] = self.flying.get(key, 0) + 1
        self._world.at(self._world.now + pause, self._arrive, request)

    def _arrive(self, request: _Request) -> None:
        world, call = self._world, request.call
        self.flying[request.view.row.id, call.unit] -= 1
        outcome = self._perform(request)
        if world.trace is not None:
            late = "" if request.is_heard else ", unheard"
            world.tell(f"participant of {_named(request)}: {outcome}{late}")
        if not request.is_heard:
            return
        fate = world.chance.pick(world.profile.reply)
        if fate is Fate.FINE:
            world.at(world.now + HOP, self._answer, request, outcome)
        elif fate is Fate.SLOW:
            world.at(world.now + world.chance.pick(SHORT), self._answer, request, outcome)
        else:
            world.at(world.now + CLIENT_TIMEOUT, self._answer, request, Outcome.UNKNOWN)

    def _answer(self, request: _Request, outcome: Outcome) -> None:
        node, call, view = request.node, request.call, request.view
        reason = "refused" if outcome is SAID_REFUSED else ""
        if request.is_renewal:
            if outcome is SAID_REFUSED:
                node.hear(view, Withdrawn("withdrawn"))
            return
        jitter = (call.attempt * 37 % 64) / 64
        doubtful = request.is_repeated and outcome is SAID_REFUSED
        node.hear(view, Answered(call.unit, call.direction, outcome, reason, "", jitter, doubtful))

    # ---- participants

    def _perform(self, request: _Request) -> Outcome:
        row, call = request.view.row, request.call
        participant, effect = self._participant(call.leaf), self.effect(row, call.unit)
        if call.query:
            found = participant.query(effect)
            if found is SAID_ABSENT or call.direction is DO:
                return found
        if call.direction is DO:
            return self._create(row, call.unit, participant)
        outcome = self._whim()
        return participant.cancel(effect) if outcome is SAID_OK else outcome

    def _create(self, row: Row, unit: str, participant: Participant) -> Outcome:
        """Apply; whatever is applied, the log must know of (I6)."""
        effect = self.effect(row, unit)
        before = effect.applied
        outcome = participant.create(effect, self._world.now, self._whim)
        if effect.applied > before and not any(unit == known for known, _, _ in row.intents):
            raise Violation("no effect without an intent in the log", unit)
        return outcome

    def _whim(self) -> Outcome:
        """A definite no, or an error before anything has happened, if chance wants it."""
        fate = self._world.chance.pick(self._world.profile.answer)
        if fate is Fate.FINE:
            return SAID_OK
        return SAID_REFUSED if fate is Fate.REFUSED else Outcome.UNKNOWN

    def _participant(self, leaf: Leaf) -> Participant:
        known = self._participants.get(leaf.name)
        if known is None:
            known = Participant()
            if isinstance(leaf, SagaStep) and leaf.query is not None and leaf.settle_after is not None:
                known = Foreign(leaf.horizon + leaf.settle_after)
            self._participants[leaf.name] = known
        return known

    # ---- the bus: everything comes at least once

    def publish(self, row: Row, unit: str, direction: Direction) -> None:
        """Let a command go to its participant, and the reply come back as a signal."""
        self._deliver(self._heard, row, unit, direction)

    def _heard(self, row: Row, unit: str, direction: Direction) -> None:
        leaf = row.saga.plan.leaf(unit)
        if leaf is None:
            raise LookupError(unit)
        participant = self._participant(leaf)
        if direction is DO:
            outcome = self._create(row, unit, participant)
        else:
            outcome = participant.cancel(self.effect(row, unit))
        if outcome in (SAID_OK, SAID_REFUSED):  # otherwise its consumer tries again: the command is repeated
            name = "heard" if direction is DO else "recalled"
            self._deliver(self._world.say, row, Said(name, unit, outcome))

    def _deliver(self, to: object, *message: object) -> None:
        world = self._world
        fate = world.chance.pick(world.profile.bus)
        pauses = [HOP if fate in (Fate.FINE, Fate.DOUBLED) else world.chance.pick(LONG)]
        if fate is Fate.DOUBLED:
            pauses.append(world.chance.pick(LONG))
        for pause in pauses:
            world.at(world.now + pause, to, *message)  # type: ignore[arg-type]


def _named(request: _Request) -> str:
    call = request.call
    query = "query, then " if call.query else ""
    what = "renew" if request.is_renewal else f"{query}{call.direction}"
    return f"#{request.view.row.id} {what} {call.unit} ({call.attempt})"
