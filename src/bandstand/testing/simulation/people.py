"""Everybody who speaks to a simulated saga from outside: those who approve, customers, operators, foreign services.

Operators tell the truth: they resolve a step as done or as refused only when it is so, and nothing is on its way.
Between their look and their word a customer may cancel.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from bandstand.sagas.protocol import Log, Outcome, Position
from bandstand.sagas.steps import Approval, Direction, Leaf, Mode, WaitFor
from bandstand.sagas.transitions import Phase
from bandstand.testing.simulation.chance import LONG, Fate
from bandstand.testing.simulation.storage import Row, Said, has_effect

if TYPE_CHECKING:
    from bandstand.testing.simulation.world import World

__all__ = ["People"]

_SOON = timedelta(seconds=1)
_BETWEEN_LOOKS, _LOOKS = timedelta(milliseconds=300), 12
_SLOWLY = timedelta(hours=1)
_AFTER_ALL = timedelta(days=3)


class People:
    """Answers to what sagas wait for, and wishes that nobody asked for."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def meddle(self, row: Row) -> None:
        """Perhaps wish or decide something, at any later moment."""
        world = self._world
        fate = world.chance.pick(world.profile.people)
        if fate is not Fate.FINE:
            world.at(world.now + world.chance.pick(LONG) / 10, self._act, row, fate)
        if "resolve it" in row.state.error:  # the engine has asked for a person
            world.at(world.now + _SLOWLY, self._act, row, Fate.RESOLVE)

    def begin(self, row: Row) -> None:
        """Perhaps let an event come before anybody waits for it."""
        world = self._world
        for leaf in row.saga.plan.leaves:
            if isinstance(leaf, WaitFor) and world.chance.pick(world.profile.told) is Fate.DOUBLED:
                world.at(world.now + world.chance.pick(LONG), world.say, row, Said("heard", leaf.name))

    def answer(self, row: Row, line: Log) -> None:
        """Say what a step waits for, some time after it has begun to wait."""
        leaf = row.saga.plan.leaf(line.unit)
        if line.direction is Direction.UNDO or line.attempt > 1 or not isinstance(leaf, WaitFor | Approval):
            return
        world = self._world
        fate = world.chance.pick(world.profile.told)
        pause = _SOON if fate in (Fate.FINE, Fate.REJECTED, Fate.DOUBLED) else world.chance.pick(LONG)
        if fate is Fate.NEVER:
            pause = _AFTER_ALL
        said = Said("rejected", line.unit, Outcome.REFUSED) if fate is Fate.REJECTED else Said("heard", line.unit)
        world.at(world.now + pause, world.say, row, said)
        if fate is Fate.DOUBLED:
            world.at(world.now + world.chance.pick(LONG), world.say, row, said)

    def _act(self, row: Row, fate: str) -> None:
        world = self._world
        if row.ended:
            return
        if fate is Fate.LOSE_LEASE:
            if row.owner is not None:
                row.stolen = True
                world.tell(f"#{row.id}: the heartbeats of worker {row.owner.number} are lost")
                world.look()
        elif fate in (Fate.SKIP, Fate.RESOLVE):
            self._settle(row, fate, patience=_LOOKS)
        else:
            world.say(row, Said(fate))

    def _settle(self, row: Row, fate: str, *, patience: int) -> None:
        """Settle the first step at hand that is not simply under way; look again for a while if there is none."""
        world = self._world
        for position in row.state.at:
            leaf = row.saga.plan.leaf(position.unit)
            if leaf is None or position.phase not in (Phase.PAUSING, Phase.RESTING):
                continue
            if fate is Fate.SKIP:
                row.excused.add(position.unit)
                world.say(row, Said("skip", position.unit, Outcome.SKIPPED, row.state.direction))
            elif (outcome := self._truth(row, position, leaf)) is not None:
                if world.chance.pick(world.profile.people) is not Fate.FINE:
                    world.say(row, Said(Fate.CANCEL))
                world.say(row, Said("resolve", position.unit, outcome, row.state.direction, position.attempt))
            return
        if patience and not row.ended:
            world.at(world.now + _BETWEEN_LOOKS, self._settle_later, row, fate, patience - 1)

    def _settle_later(self, row: Row, fate: str, patience: int) -> None:
        self._settle(row, fate, patience=patience)

    def _truth(self, row: Row, position: Position, leaf: Leaf) -> Outcome | None:
        """How a step came out, if anybody can know that already."""
        if leaf.mode is not Mode.CALL or not has_effect(leaf):
            return Outcome.OK if leaf.mode is Mode.CALL else None
        network = self._world.network
        effect = network.effect(row, position.unit)
        if network.flying.get((row.id, position.unit), 0):
            return None
        if position.phase is Phase.RESTING:
            return Outcome.OK if effect.net == 0 else None
        return Outcome.OK if effect.net else Outcome.REFUSED
