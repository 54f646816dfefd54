"""One simulated world: a clock, a heap of what is to come, workers, storage, network and people, in one thread."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from bandstand.sagas import engine
from bandstand.sagas.definition import Saga
from bandstand.sagas.engine.members import CALL, DO, SAID_INTENT, SAID_OK, UNDO
from bandstand.sagas.plan import passes_pivot
from bandstand.sagas.protocol import Begun, Call, Log
from bandstand.sagas.steps import Leaf
from bandstand.testing.simulation.chance import Chance, Fate, profile_of
from bandstand.testing.simulation.moving import Birth, Moving
from bandstand.testing.simulation.network import Network
from bandstand.testing.simulation.node import LEASE, Node, View
from bandstand.testing.simulation.people import People
from bandstand.testing.simulation.storage import Row, Said, Violation

__all__ = ["START", "World"]

START = datetime(2026, 1, 1, tzinfo=UTC)
_SOON = timedelta(milliseconds=1)
_LISTEN = timedelta(seconds=1)
_SAGAS = (1,) * 192 + (2,) * 48 + (3,) * 16
_BIRTHS = (Fate.FINE,) * 208 + (Fate.SLOW,) * 24 + (Fate.CRASHES_AFTER,) * 24
_MOST_EVENTS = 4000

Trace = Callable[[datetime, str], None]


class World:
    """Everything a schedule consists of. `run` lets it happen, up to the last request that was on its way."""

    def __init__(self, saga: Saga, data: bytes, trace: Trace | None = None) -> None:
        self.now = START
        self.trace = trace
        self.chance = Chance(data)
        self.profile = profile_of(self.chance)
        self.network = Network(self)
        self.people = People(self)
        self.nodes = [Node(self, 1), Node(self, 2)]
        self.rows: list[Row] = []
        self._heap: list[tuple[datetime, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = 0
        self._hired = 2
        for _ in range(self.chance.pick(_SAGAS)):
            self._start(saga)

    def run(self) -> None:
        """Let everything happen. Raises Violation."""
        heap, left = self._heap, _MOST_EVENTS
        while heap:
            self.now, _, act, arguments = heappop(heap)
            act(*arguments)
            left -= 1
            if not left:
                raise Violation("every saga ends", self._unended())

    def at(self, moment: datetime, act: Callable[..., None], *arguments: Any) -> None:
        """Let something happen later."""
        self._order += 1
        heappush(self._heap, (moment, self._order, act, arguments))

    def tell(self, what: str) -> None:
        """Add a line to the timeline, if one is kept."""
        if self.trace is not None:
            self.trace(self.now, what)

    def replace(self, dead: Node) -> None:
        """Hire a successor."""
        self._hired += 1
        self.nodes[self.nodes.index(dead)] = Node(self, self._hired)

    def look(self) -> None:
        """Let some worker take over what is free or whose lease has run out."""
        now = self.now
        rows = [row for row in self.rows if row.is_claimable(now)]
        if not rows:
            return
        awake = [node for node in self.nodes if node.is_awake]
        if not awake:
            self.at(min(node.frozen_until for node in self.nodes if node.frozen_until is not None), self.look)
            return
        owners = {row.owner for row in rows}
        node = next((one for one in awake if one not in owners), awake[0])
        self.tell(f"worker {node.number} takes over {', '.join(f'#{row.id}' for row in rows)}")
        node.take_over(rows)

    def say(self, row: Row, said: Said) -> None:
        """Leave a signal; its saga hears it at once, or when its worker looks next."""
        if row.ended:
            return
        self.tell(f"#{row.id} is told: {said.name} {said.unit}")
        row.signals.append(said)
        if row.owner is None:
            row.free_at = min(row.free_at, self.now)
            self.at(self.now, self.look)
        else:
            pause = _SOON if self.chance.pick(self.profile.bus) is Fate.FINE else _LISTEN
            self.at(self.now + pause, self._notice, row)

    def _notice(self, row: Row) -> None:
        owner = row.owner
        if owner is not None and row.id in owner.views:
            owner.hear(owner.views[row.id], None)

    # ---- births

    def _start(self, saga: Saga) -> None:
        row = self._born(saga)
        fate = self.chance.pick(_BIRTHS)
        if fate is Fate.SLOW:
            self.at(self.now, self.look)
        else:
            calls = self._lease(row, self.nodes[0])
            if fate is Fate.CRASHES_AFTER:
                self.at(self.now, self.nodes[0].crash, "before it adopts what was born")
            else:
                self.at(self.now, self.nodes[0].adopt, View(row), calls)

    def _bear(self, node: Node, parent: Row, birth: Birth) -> None:
        child = self._born(birth.leaf.saga(), birth.unit)
        child.parent, child.parent_unit = parent, birth.unit
        parent.children[birth.unit] = child
        calls = self._lease(child, node)
        self.at(self.now, node.adopt, View(child), calls)
        if birth.is_undone:
            self.say(child, Said("compensate"))

    def _born(self, saga: Saga, parent: str = "") -> Row:
        row = Row(len(self.rows) + 1, saga, engine.born(saga, self.now, parent=parent), self.now)
        self.rows.append(row)
        self.people.begin(row)
        return row

    def _lease(self, row: Row, node: Node) -> list[Call]:
        """As `bandstand.sagas.starting`: a saga that begins with a remote call is born with its intent."""
        row.owner = node
        first = row.saga.plan.first
        head = first.node if first is not None else None
        if not isinstance(head, Leaf) or head.mode is not CALL or head.decides:
            return []
        row.state, commands = engine.step(row.saga, row.state, Begun(), self.now)
        self._append(row, [command for command in commands if isinstance(command, Log)])
        return [command for command in commands if isinstance(command, Call)]

    # ---- commits

    def commit(self, node: Node, moves: list[Moving]) -> None:
        """Make a wave durable, all of it."""
        for moving in moves:
            self._save(node, moving)
        for moving in moves:
            self._follow(node, moving)

    def _save(self, node: Node, moving: Moving) -> None:
        row, state = moving.row, moving.state
        if row.ended:
            raise Violation("an end is final", f"#{row.id} was {row.state.status}, becomes {state.status}")
        self.watch_epoch(node, moving)
        row.forced = row.forced or moving.was_forced
        self._append(row, moving.lines)
        row.state = state
        if moving.heard:
            row.signals = [one for one in row.signals if one not in moving.heard]
        for unit, direction in moving.effects:
            effect = self.network.effect(row, unit)
            if direction is DO:
                effect.applied += 1
            else:
                effect.reversed += 1
        if moving.end is not None:
            row.ended, row.owner = True, None
            self.tell(f"#{row.id} ends {state.status} {state.reason}")
        else:
            self._own(row, node)

    def watch_epoch(self, node: Node, moving: Moving) -> None:
        """Raise Violation when a worker writes whose lease was taken over."""
        if moving.view.epoch != moving.row.epoch:
            raise Violation("a stale worker writes nothing", f"#{moving.row.id} by worker {node.number}")

    def _own(self, row: Row, node: Node) -> None:
        """Stay with the worker, or be free until what is far away."""
        until = None if row.state.is_calling else row.state.next_at
        renews = row.state.direction is DO and any(leaf.name in row.state.done for leaf in row.saga.plan.renewed)
        row.owner = node
        if until is not None and until - self.now > LEASE and not renews:
            row.owner, row.free_at = None, until
            self.at(until, self.look)

    def _append(self, row: Row, lines: list[Log]) -> None:
        for line in lines:
            row.log.append(line)
            if self.trace is not None:
                self.tell(f"#{row.id} log: {line.direction} {line.unit} {line.attempt} {line.outcome} {line.error}")
            if line.outcome is SAID_INTENT:
                row.intents.add((line.unit, line.direction, line.attempt))
                if line.direction is UNDO and row.passed and not row.forced:
                    raise Violation("nothing is undone behind the pivot", f"#{row.id} {line.unit}")
                self.people.answer(row, line)
            elif line.outcome is SAID_OK and line.direction is DO:
                leaf = row.saga.plan.leaf(line.unit)
                row.passed = row.passed or (leaf is not None and passes_pivot(leaf))

    def _follow(self, node: Node, moving: Moving) -> None:
        """What a commit sets going."""
        row = moving.row
        for birth in moving.births.values():
            self._bear(node, row, birth)
        for unit, direction in moving.messages:
            self.network.publish(row, unit, direction)
        for target, said in moving.said:
            self.say(target, said)
        if not row.ended:
            self.people.meddle(row)

    def _unended(self) -> str:
        return ", ".join(f"#{row.id} {row.state.status} {row.state.error}" for row in self.rows if not row.ended)
