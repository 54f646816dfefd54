"""One simulated worker process: what it remembers of its sagas, its waves, its stalls and its death.

The semantics of `bandstand.sagas.runner`. A worker acts on what it remembers and never looks at a row first: a frozen
one wakes up with a view that the world has left behind, and only the epoch of its lease keeps it from writing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bandstand.sagas.engine.members import DO, UNDO
from bandstand.sagas.protocol import Begun, Call, Due, Event, Resumed, State
from bandstand.sagas.steps import SagaStep
from bandstand.testing.simulation.chance import LONG, Fate
from bandstand.testing.simulation.moving import Moving
from bandstand.testing.simulation.storage import Row

if TYPE_CHECKING:
    from bandstand.testing.simulation.world import World

__all__ = ["LEASE", "Node", "View"]

LEASE = timedelta(seconds=10)
_LOOK = timedelta(milliseconds=100)

Input = tuple["View", Event | None]
"""What happened to a saga; None when something was said to it."""


class View:
    """What a worker remembers of one saga: the state as it last wrote or read it."""

    __slots__ = ("due", "epoch", "renewed", "row", "state")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.epoch = row.epoch
        self.state: State = row.state
        self.due: datetime | None = None
        self.renewed: set[str] = set()


class Node:
    """One process. One that died is never used again; its successor has another number."""

    def __init__(self, world: "World", number: int) -> None:
        self._world = world
        self.number = number
        self.views: dict[int, View] = {}
        self.is_alive = True
        self.frozen_until: datetime | None = None
        self._silent_since: datetime | None = None
        self._inbox: list[Input] = []
        self._suspects: list[Row] = []

    @property
    def is_awake(self) -> bool:
        """Whether it turns its loop."""
        return self.is_alive and self.frozen_until is None

    def is_silent(self, now: datetime) -> bool:
        """Whether its leases have run out: a living worker renews them all the time."""
        return self._silent_since is not None and now >= self._silent_since + LEASE

    def hear(self, view: View, happened: Event | None) -> None:
        """Take in an answer, or what was said, unless it is dead; a frozen one will read it later."""
        if not self.is_alive:
            return
        if self.frozen_until is None:
            self.wave(((view, happened),))
        else:
            self._inbox.append((view, happened))

    def moment(self, view: View, due: datetime) -> None:
        """The moment for which a saga was scheduled, if it still is."""
        if view.due == due:
            self.hear(view, Due())

    def adopt(self, view: View, calls: Iterable[Call]) -> None:
        """Take over a saga whose birth is committed, and make its first calls."""
        self.views[view.row.id] = view
        if view.state.at:
            self._settle(view, calls)
        else:
            self.wave(((view, Begun()),))

    def take_over(self, rows: Iterable[Row]) -> None:
        """Claim these rows, and go on with them as they are stored."""
        inputs: list[Input] = []
        for row in rows:
            row.epoch += 1
            row.owner, row.stolen = self, False
            view = self.views[row.id] = View(row)
            inputs.append((view, Resumed()))
        self.wave(inputs)

    # ---- one wave

    def wave(self, inputs: Iterable[Input]) -> None:
        """Commit all of this in one transaction, and make the calls that follow."""
        held = [one for one in inputs if self.views.get(one[0].row.id) is one[0]]
        if not held:
            return
        world = self._world
        fate = world.chance.pick(world.profile.wave)
        if fate is Fate.FREEZES:
            self._inbox += held
            self._freeze(world.chance.pick(LONG))
        elif fate is Fate.CRASHES:
            self.crash("before its commit")
        else:
            moves = self._moves(held)
            if fate is not Fate.BREAKS:
                world.commit(self, moves)
            self._follow(fate, moves, held)

    def _moves(self, held: list[Input]) -> list[Moving]:
        """What follows from the inputs; sagas that another worker has taken over are dropped."""
        world, moves = self._world, dict[int, Moving]()
        for view, happened in held:
            number = view.row.id
            moving = moves.get(number)
            if moving is None:
                if not self.is_fenced_in(view):
                    self.views.pop(number, None)
                    continue
                moving = moves[number] = Moving(world, view, world.now)
                moving.listen()
            if happened is not None:
                moving.take_in(happened)
        for moving in moves.values():
            moving.listen()
        return list(moves.values())

    @staticmethod
    def is_fenced_in(view: View) -> bool:
        """Whether the row still has the epoch under which this worker took it."""
        return view.epoch == view.row.epoch and not view.row.ended

    def _follow(self, fate: str, moves: list[Moving], held: list[Input]) -> None:
        if fate in (Fate.BREAKS, Fate.BREAKS_AFTER):
            self._distrust(held, fate)
        elif fate is Fate.CRASHES_AFTER:
            self.crash("after its commit")
        else:
            for moving in moves:
                view = moving.view
                view.state = moving.state
                if view.row.owner is self and not view.row.ended:
                    self._settle(view, moving.calls())
                else:
                    self.views.pop(view.row.id, None)

    def _settle(self, view: View, calls: Iterable[Call]) -> None:
        world, state = self._world, view.state
        view.due = None if state.is_calling else state.next_at
        if view.due is not None:
            world.at(view.due, self.moment, view, view.due)
        for step in view.row.saga.plan.renewed:
            self._schedule_renewal(view, step)
        for call in calls:
            world.network.call(self, view, call)

    def _distrust(self, held: list[Input], fate: str) -> None:
        """Nobody knows whether the commit happened: forget the sagas and read their rows anew, one by one."""
        self._world.tell(f"worker {self.number}: its commit {'is lost' if fate is Fate.BREAKS else 'only seems lost'}")
        for view, _ in held:
            if self.views.pop(view.row.id, None) is not None:
                self._suspects.append(view.row)
        self._world.at(self._world.now + _LOOK, self._look_again)

    def _look_again(self) -> None:
        suspects, self._suspects = self._suspects, []
        for row in suspects:
            if self.is_awake and row.owner is self and not row.ended:
                self.take_over((row,))
            elif self.is_alive:
                self._suspects.append(row)

    # ---- renewals

    def _schedule_renewal(self, view: View, step: SagaStep) -> None:
        state = view.state
        if step.renew_every is None or state.direction is UNDO or step.name in view.renewed:
            return
        if step.name in state.done:
            view.renewed.add(step.name)
            self._world.at(self._world.now + step.renew_every, self._renew, view, step)

    def _renew(self, view: View, step: SagaStep) -> None:
        if self.frozen_until is not None:
            self._world.at(self.frozen_until, self._renew, view, step)
            return
        view.renewed.discard(step.name)
        if self.is_alive and self.views.get(view.row.id) is view and view.state.direction is DO:
            self._world.network.renew(self, view, Call(step.name, step, DO, 0))
            self._schedule_renewal(view, step)

    # ---- stalls and death

    def _freeze(self, pause: timedelta) -> None:
        world = self._world
        self.frozen_until = world.now + pause
        self._silent_since = world.now
        world.tell(f"worker {self.number} freezes for {pause}")
        world.at(self.frozen_until, self._thaw)
        world.at(world.now + LEASE, world.look)

    def _thaw(self) -> None:
        if not self.is_alive:
            return
        self._world.tell(f"worker {self.number} goes on with what it remembers")
        self.frozen_until = self._silent_since = None
        inbox, self._inbox = self._inbox, []
        self.wave(inbox)
        if self._suspects:
            self._look_again()

    def crash(self, when: str) -> None:
        """Die; a successor without memory takes its place."""
        if not self.is_alive:
            return
        world = self._world
        world.tell(f"worker {self.number} dies {when}")
        self.is_alive = False
        self._silent_since = world.now
        self.views.clear()
        world.replace(self)
        world.at(world.now + LEASE, world.look)
