"""The simulator finds what is broken on purpose: a mechanism taken away, a row of the table bent, a worker unfenced.

Each mutant is found within a bounded number of seeds. One that survived would be a blind spot of the simulator.
"""

from collections.abc import Callable

import pytest

from bandstand.sagas import Saga, SagaStatus
from bandstand.sagas.engine import attempts, back, events, verdicts
from bandstand.sagas.protocol import Log, Outcome, Position
from bandstand.sagas.transitions import TRANSITIONS, Heard, Phase, Stance, Verdict
from bandstand.testing.simulation import Failure, search
from bandstand.testing.simulation.moving import Moving
from bandstand.testing.simulation.node import Node
from bandstand.testing.simulation.participants import Foreign, Participant
from bandstand.testing.simulation.sagas import Everything, Order
from bandstand.testing.simulation.world import World

Mutate = Callable[[pytest.MonkeyPatch], object]


def no_tombstones(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Participant, "cancel", Foreign.cancel)


def no_keys(patch: pytest.MonkeyPatch) -> None:
    def create(_self, effect, now, may_refuse):
        if effect.buried:
            return Outcome.REFUSED
        if (outcome := may_refuse()) is Outcome.OK:
            effect.applied += 1
        return outcome

    patch.setattr(Participant, "create", create)


def no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Node, "is_fenced_in", staticmethod(lambda view: not view.row.ended))


def no_fence_and_nobody_watching_it(patch: pytest.MonkeyPatch) -> None:
    """Only what has become of the order gives the stale worker away."""
    no_fence(patch)
    patch.setattr(World, "watch_epoch", lambda *_: None)


def no_intent(patch: pytest.MonkeyPatch) -> None:
    """The call is made first and logged with its answer."""
    take_in = Moving.take_in

    def forgetful(self, happened):
        take_in(self, happened)
        self.lines = [line for line in self.lines if line.outcome is not Outcome.INTENT]

    patch.setattr(Moving, "take_in", forgetful)


def bent(heard: Heard, as_if: Heard) -> Mutate:
    """In the table, what is heard counts as something else."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        table = dict(TRANSITIONS)
        for phase, one, stance, doubt in TRANSITIONS:
            if one is heard and (phase, as_if, stance, doubt) in TRANSITIONS:
                table[phase, heard, stance, doubt] = TRANSITIONS[phase, as_if, stance, doubt]
        patch.setattr(verdicts, "TRANSITIONS", table)
        patch.setattr(back, "TRANSITIONS", table)

    return mutate


def doubt_dropped(heard: Heard) -> Mutate:
    """In the table, what is heard leaves no doubt behind."""

    def mutate(patch: pytest.MonkeyPatch) -> None:
        table = {given: (verdict, doubt and given[1] is not heard) for given, (verdict, doubt) in TRANSITIONS.items()}
        patch.setattr(verdicts, "TRANSITIONS", table)

    return mutate


def refused_behind_the_pivot_turns_back(patch: pytest.MonkeyPatch) -> None:
    table = {
        given: (Verdict.BURY, doubt) if given[1:3] == (Heard.REFUSED, Stance.FORWARD) else (verdict, doubt)
        for given, (verdict, doubt) in TRANSITIONS.items()
    }
    patch.setattr(verdicts, "TRANSITIONS", table)


def undo_may_be_refused(patch: pytest.MonkeyPatch) -> None:
    """A no to an undo counts as undone."""
    table = dict(TRANSITIONS)
    for given in TRANSITIONS:
        if given[0] == "undoing" and given[1] is Heard.REFUSED:
            table[given] = (Verdict.UNDONE, False)
    patch.setattr(verdicts, "TRANSITIONS", table)


def keys_are_never_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The engine repeats a call to a foreign participant however late."""
    patch.setattr(attempts, "_is_forgotten", lambda *_: False)


def nothing_is_queried(patch: pytest.MonkeyPatch) -> None:
    """The engine undoes what may be on its way to a participant without tombstones at once."""
    patch.setattr(attempts, "_is_queried", lambda *_: False)
    patch.setattr(back, "_undo", _undo_at_once)


def _undo_at_once(move, unit, leaf):
    position = Position(unit=unit, phase=Phase.RESTING, since=move.now, next_at=move.now)
    attempts.begin(move, move.add(position), leaf)


def a_late_reply_confirms_a_recall(patch: pytest.MonkeyPatch) -> None:
    awaited = Moving._awaited

    def confused(self, said):
        return awaited(self, said._replace(name="recalled") if said.name == "heard" and said.unit == "car" else said)

    patch.setattr(Moving, "_awaited", confused)


def a_resolve_counts_for_the_undo_too(patch: pytest.MonkeyPatch) -> None:
    """Of two ways of a step the one at hand is taken, whichever the operator meant."""
    resolved = Moving._resolved

    def confused(self, said):
        return resolved(self, said._replace(direction=self.state.direction))

    patch.setattr(Moving, "_resolved", confused)


def an_end_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    """A worker that knows of no end goes on with what it remembers."""
    patch.setattr(Node, "is_fenced_in", staticmethod(lambda _: True))


def a_wish_to_cancel_counts_behind_the_pivot(patch: pytest.MonkeyPatch) -> None:
    def turned_back(move, _):
        if move.state.direction == "do" and move.state.at and move.state.ending is None:
            back.turn_back(move, (SagaStatus.CANCELLED, "requested"))

    patch.setitem(events._HEAR, events.CancelRequested, turned_back)


def the_log_lies(patch: pytest.MonkeyPatch) -> None:
    """What is unknown is logged as done."""

    def lying(self, position, outcome, error=""):
        shown = Outcome.OK if outcome is Outcome.UNKNOWN else outcome
        self.commands.append(Log(position.unit, self.state.direction, position.attempt, shown, error))

    patch.setattr("bandstand.sagas.engine.move.Move.log", lying)


MUTANTS: list[tuple[Mutate, type[Saga], int]] = [
    (no_tombstones, Order, 2_000),
    (no_keys, Order, 500),
    (no_fence, Order, 500),
    (no_fence_and_nobody_watching_it, Order, 6_000),
    (no_intent, Order, 50),
    (bent(Heard.UNKNOWN, Heard.FAILED), Order, 2_000),
    (bent(Heard.UNKNOWN, Heard.OK), Order, 500),
    (bent(Heard.CRASHED, Heard.FAILED), Order, 500),
    (doubt_dropped(Heard.CRASHED), Order, 4_000),
    (doubt_dropped(Heard.UNKNOWN), Order, 2_000),
    (refused_behind_the_pivot_turns_back, Order, 500),
    (undo_may_be_refused, Order, 2_000),
    (an_end_is_not_kept, Order, 1_000),
    (a_wish_to_cancel_counts_behind_the_pivot, Order, 2_000),
    (the_log_lies, Order, 2_000),
    (keys_are_never_forgotten, Everything, 1_000),
    (nothing_is_queried, Everything, 4_000),
    (a_late_reply_confirms_a_recall, Everything, 2_000),
    (a_resolve_counts_for_the_undo_too, Everything, 5_000),
]


@pytest.mark.parametrize(("mutate", "saga", "seeds"), MUTANTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_planted_fault_is_found(
    monkeypatch: pytest.MonkeyPatch, mutate: Mutate, saga: type[Saga], seeds: int
) -> None:
    mutate(monkeypatch)
    assert isinstance(search(saga, range(seeds)), Failure)
