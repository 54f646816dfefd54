"""The simulator: what it promises of the engine, and what it promises of itself."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from random import SystemRandom

import pytest

from bandstand.sagas import Saga, SagaStep, StepCall, StepKind
from bandstand.testing.simulation import search, search_with, shrunk, simulate, survives, timeline
from bandstand.testing.simulation.chance import data_of
from bandstand.testing.simulation.sagas import Everything, Order

ORDER, EVERYTHING = (f"bandstand.testing.simulation.sagas:{name}" for name in ("Order", "Everything"))
FIXED = {ORDER: 150_000, EVERYTHING: 12_000}
"""So many schedules of fixed seeds; a quarter as many again begin at a random one."""


def nothing(_: StepCall) -> None:
    return None


class Booking(Saga):
    deadline = timedelta(seconds=60)
    steps = [
        SagaStep("reserve", do=nothing, undo=nothing, timeout=None),
        SagaStep("capture", kind=StepKind.PIVOT, do=nothing, undo=nothing),
    ]


@pytest.mark.parametrize("path", [ORDER, EVERYTHING])
def test_no_schedule_of_the_fixed_seeds_breaks_a_promise(path: str) -> None:
    failure = search_with(os.cpu_count() or 1, path, range(FIXED[path]))
    assert failure is None, str(failure)


@pytest.mark.parametrize("path", [ORDER, EVERYTHING])
def test_no_schedule_from_a_random_seed_on_breaks_a_promise(path: str) -> None:
    first = SystemRandom().randrange(2**48)
    print(f"{path}: seeds from {first} on")
    failure = search_with(os.cpu_count() or 1, path, range(first, first + FIXED[path] // 4))
    assert failure is None, str(failure)


@pytest.mark.parametrize("saga", [Order, Everything])
def test_a_seed_always_gives_the_same_schedule(saga: type[Saga]) -> None:
    for seed in range(40):
        assert timeline(saga, seed) == timeline(saga, seed)


def test_a_seed_gives_the_same_schedule_in_another_process() -> None:
    command = [sys.executable, "-m", "bandstand.testing.simulation", "--saga", EVERYTHING, "--seed", "12"]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert shown.stdout.rstrip() == timeline(Everything, 12)


def test_the_schedules_are_rich() -> None:
    """A simulator in which nothing happens finds nothing."""
    told = [timeline(Everything, seed) for seed in range(400)]
    for sight in [
        "freezes for",
        "goes on with what it remembers",
        "dies before its commit",
        "dies after its commit",
        "its commit is lost",
        "its commit only seems lost",
        "heartbeats of worker",
        ": unsent",
        ": doubled",
        ": late",
        ": lost",
        "unheard",
        "is told: cancel",
        "is told: compensate",
        "is told: retry",
        "is told: skip",
        "is told: resolve",
        "is told: rejected",
        "is told: recalled car",
        "is told: child_ended insure",
        "query, then undo deposit",
        "ends completed",
        "ends compensated",
        "ends cancelled",
    ]:
        assert any(sight in one for one in told), sight


def test_a_schedule_of_zeros_goes_well() -> None:
    world = simulate(Everything, bytes(8))
    assert [row.state.status for row in world.rows] == ["completed", "completed"]


def test_a_failure_names_the_command_that_repeats_it_and_shows_its_simplest_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _break_keys(monkeypatch)
    with pytest.raises(AssertionError) as caught:
        survives(Order, schedules=2_000)
    said = str(caught.value)
    assert "python -m bandstand.testing.simulation --saga bandstand.testing.simulation.sagas:Order --seed" in said
    assert "BROKEN Violation" in said


def test_the_simplest_schedule_breaks_the_same_promise_with_fewer_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    _break_keys(monkeypatch)
    failure = search(Order, range(2_000))
    assert failure is not None
    simplest = shrunk(failure)
    assert simplest.rule == failure.rule
    assert sum(map(bool, simplest.data)) <= 4
    assert len(simplest.data) < len(data_of(failure.seed))
    assert replace(simplest, data=failure.data, message=failure.message) == failure


def test_a_saga_of_a_user_is_simulated_by_its_declaration_alone() -> None:
    survives(Booking, schedules=300)


def _break_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(_self, effect, now, may_refuse):
        effect.applied += 1
        return may_refuse()

    monkeypatch.setattr("bandstand.testing.simulation.participants.Participant.create", create)
