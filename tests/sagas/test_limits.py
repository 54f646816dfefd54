"""Limits, rates, priorities and later starts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from bandstand import clock
from bandstand.sagas import (
    Limit,
    Priority,
    Rate,
    Saga,
    SagaExecution,
    SagaStep,
    StepCall,
    Timer,
    host,
    request_cancel,
    starting,
)
from bandstand.sagas.signals import SignalName, signal
from tests.sagas.stage import Stage

_begun: list[str] = []


def note(call: StepCall) -> None:
    _begun.append(call.context["who"])


class _Visit(Saga):
    """A visit of a minute to somebody."""

    deadline = timedelta(minutes=2)
    steps = [SagaStep("arrive", do=note, no_undo="only noted"), Timer("stay", until=timedelta(minutes=1))]

    def begin(self, event: tuple[str, str]) -> tuple[str, dict[str, Any]]:
        who, whom = event
        return who, {"who": who, "whom": whom}


class TwoAtOnce(_Visit):
    name = "limits_two"
    limit = Limit(live=2)


class OnePerHost(_Visit):
    name = "limits_per_key"
    limit = Limit(per_key=1, key=lambda context: context["whom"])


class ThreeAnHour(_Visit):
    name = "limits_rate"
    limit = Limit(starts=Rate(count=3, per=timedelta(hours=1)))


class Unlimited(_Visit):
    name = "limits_none"


@pytest.fixture(autouse=True)
def _nobody_has_begun() -> Iterator[None]:
    _begun.clear()
    return


def visit(stage: Stage, saga: type[Saga], *people: str, whom: str = "ada", **how: Any) -> None:
    """Begin a visit of each, a moment apart."""
    for who in people:
        assert starting.start(saga, (who, whom), **how) is not None
        stage.clock.advance(0.001)


def pending() -> int:
    return SagaExecution.objects.filter(status="pending").count()


def pass_time(stage: Stage, seconds: float) -> None:
    """Let a worker look around in between."""
    stage.clock.advance(seconds)
    stage.drive()


def test_no_more_are_under_way_than_the_limit_allows_and_the_others_follow_by_age(stage: Stage) -> None:
    visit(stage, TwoAtOnce, "a", "b", "c", "d", "e")
    stage.drive()
    assert (_begun, pending()) == (["a", "b"], 3)
    pass_time(stage, 61)
    pass_time(stage, 1)
    assert (_begun, pending()) == (["a", "b", "c", "d"], 1)


def test_the_limit_counts_the_sagas_of_all_workers(stage: Stage) -> None:
    visit(stage, TwoAtOnce, "a", "b")
    stage.drive()
    stage.employ()
    visit(stage, TwoAtOnce, "c")
    stage.drive()
    assert _begun == ["a", "b"]


def test_what_was_admitted_begins_though_its_worker_dies_at_once(stage: Stage) -> None:
    visit(stage, TwoAtOnce, "a")
    stage.worker.turn()
    stage.employ()
    pass_time(stage, 11)
    assert set(_begun) == {"a"}
    assert pending() == 0


def test_a_limit_per_key_holds_back_those_of_that_key_only(stage: Stage) -> None:
    visit(stage, OnePerHost, "a", "b", "c", whom="ada")
    visit(stage, OnePerHost, "d", whom="grace")
    stage.drive()
    assert set(_begun) == {"a", "d"}
    pass_time(stage, 61)
    pass_time(stage, 1)
    assert set(_begun) == {"a", "b", "d"}


def test_no_more_begin_than_the_rate_allows(stage: Stage) -> None:
    visit(stage, ThreeAnHour, "a", "b", "c", "d", "e")
    stage.drive()
    assert (_begun, pending()) == (["a", "b", "c"], 2)
    pass_time(stage, 19 * 60)
    assert len(_begun) == 3
    pass_time(stage, 61)
    assert (_begun, pending()) == (["a", "b", "c", "d"], 1)


def test_the_more_urgent_ones_begin_first(stage: Stage) -> None:
    visit(stage, TwoAtOnce, "a", "b", "c")
    visit(stage, TwoAtOnce, "urgent", priority=Priority.HIGH)
    visit(stage, TwoAtOnce, "idle", priority=Priority.LOW)
    stage.drive()
    assert _begun == ["urgent", "a"]


def test_a_free_worker_takes_up_the_more_urgent_ones_first(stage: Stage) -> None:
    host.install_worker(None)
    visit(stage, Unlimited, "a", "b")
    visit(stage, Unlimited, "urgent", priority=Priority.HIGH)
    pass_time(stage, 1)
    assert _begun[0] == "urgent"


def test_a_pending_saga_can_be_cancelled(stage: Stage) -> None:
    visit(stage, TwoAtOnce, "a", "b", "c")
    stage.drive()
    request_cancel(TwoAtOnce, "c")
    pass_time(stage, 1)
    row = SagaExecution.objects.get(business_key="c")
    assert (row.status, row.reason) == ("cancelled", "requested")
    assert "c" not in _begun


def test_what_is_said_to_a_pending_saga_does_not_let_it_begin(stage: Stage) -> None:
    visit(stage, TwoAtOnce, "a", "b", "c")
    stage.drive()
    signal("limits_two", "c", SignalName.RETRY)
    pass_time(stage, 1)
    row = SagaExecution.objects.get(business_key="c")
    assert (row.status, row.owner) == ("pending", None)
    pass_time(stage, 61)
    pass_time(stage, 1)
    assert "c" in _begun


def test_the_deadline_counts_from_the_beginning(stage: Stage) -> None:
    visit(stage, TwoAtOnce, "a", "b", "c", "d", "e", "f", "g")
    for _ in range(300):
        pass_time(stage, 1)
    assert set(SagaExecution.objects.values_list("status", flat=True)) == {"completed"}


def test_a_later_start_waits_for_its_moment(stage: Stage) -> None:
    at: datetime = clock.now() + timedelta(hours=1)
    visit(stage, Unlimited, "later", at=at)
    stage.drive()
    assert (SagaExecution.objects.get().status, SagaExecution.objects.get().next_at) == ("pending", at)
    pass_time(stage, 3599)
    assert _begun == []
    pass_time(stage, 2)
    assert _begun == ["later"]
    assert SagaExecution.objects.get().deadline == clock.now() + timedelta(minutes=2)


def test_a_later_start_under_a_limit_waits_for_both(stage: Stage) -> None:
    visit(stage, TwoAtOnce, "later", at=clock.now() + timedelta(hours=1))
    pass_time(stage, 3500)
    assert _begun == []
    pass_time(stage, 101)
    assert _begun == ["later"]


@pytest.mark.parametrize(("used_for", "allowed"), [(0, 4), (15, 3), (59, 0), (60, 0), (90, 0)])
def test_a_rate_allows_what_is_left_of_it(used_for: int, allowed: int) -> None:
    now = clock.now()
    rate = Rate(count=4, per=timedelta(minutes=1))
    assert max(0, rate.allowed(now + timedelta(seconds=used_for), now)) == allowed
    assert rate.used(None, now, 2) == now + timedelta(seconds=30)
