"""Declaring a saga: what starts it, what is refused, what cannot be undone."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction

from bandstand.events import Event, publish
from bandstand.lifecycle.crashpoints import crash_point_names
from bandstand.sagas import (
    Approval,
    ChildSaga,
    Each,
    Parallel,
    Saga,
    SagaCommand,
    SagaExecution,
    SagaStep,
    StepCall,
    StepKind,
    Timer,
    WaitFor,
)
from bandstand.sagas.checks import check_saga
from bandstand.sagas.registry import Registry
from bandstand.sagas.steps import Node


def nothing(call: StepCall) -> None:
    return None


def step(name: str, **values) -> SagaStep:
    return SagaStep(name, do=nothing, **values)


PIVOT, RETRIABLE = StepKind.PIVOT, StepKind.RETRIABLE


class Forward(Saga):
    """Cannot be undone."""

    steps = [step("only", kind=RETRIABLE)]


class Answered(Event, name="project.answered.v1", subject="key"):
    key: str


def loop(name: str, *inside: Node) -> Each:
    return Each(name, *inside, over=lambda _: ())


def command(**values) -> SagaCommand:
    return SagaCommand("ask", send=nothing, reply=Answered, reply_key=lambda event: event.key, **values)


def faults(*steps: Node) -> list[str]:
    saga = type("Unnamed", (Saga,), {"steps": steps})()
    return [fault.id for fault in check_saga(saga)]


def test_a_sound_saga_has_no_faults():
    assert faults(step("a", no_undo="reads"), step("b", undo=nothing, kind=PIVOT), step("c", kind=RETRIABLE)) == []


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], ["bandstand.E305"]),
        ([step("a")], ["bandstand.E301"]),
        ([step("a", kind=PIVOT)], ["bandstand.E301"]),
        ([step("a", undo=nothing), step("a", undo=nothing)], ["bandstand.E302"]),
        ([step("a", undo=nothing, kind=PIVOT), step("b", undo=nothing, kind=PIVOT)], ["bandstand.E303"]),
        ([step("a", kind=RETRIABLE), step("b", undo=nothing, kind=PIVOT)], ["bandstand.E304"]),
        ([step("a", undo=nothing, kind=PIVOT), step("b", undo=nothing)], ["bandstand.E304"]),
        ([Parallel("p", step("a", undo=nothing), step("b", undo=nothing, kind=PIVOT))], ["bandstand.E306"]),
        ([Parallel("p", step("a", undo=nothing), step("b", kind=RETRIABLE))], ["bandstand.E307"]),
        ([loop("outer", loop("inner", step("a", undo=nothing)))], ["bandstand.E308"]),
        ([step("capture payment", undo=nothing)], ["bandstand.E310"]),
        ([ChildSaga("child", saga=Forward, begin=nothing)], ["bandstand.E311"]),
        ([command(recall=nothing)], ["bandstand.E312"]),
        ([command()], ["bandstand.E301"]),
        ([loop("l", WaitFor("a", event=Answered, key=lambda event: event.key))], ["bandstand.E314"]),
        ([step("a", undo=nothing, settle_after=timedelta(minutes=1))], ["bandstand.E313"]),
    ],
)
def test_a_saga_that_could_not_be_undone_or_ended_is_an_error(steps, expected):
    assert faults(*steps) == expected


DEADLINE = timedelta(minutes=2)  # unless a saga says another one


@pytest.mark.parametrize(
    "wait",
    [
        Timer("rest", until=DEADLINE),
        Approval("manager", timeout=DEADLINE),
        Approval("weather", timeout=DEADLINE, optional=True),
        WaitFor("bell", event=Answered, key=lambda event: event.key, timeout=DEADLINE),
    ],
)
def test_a_wait_that_the_deadline_cuts_short_is_a_warning(wait):
    assert faults(Parallel("both", step("a", undo=nothing), wait), step("b", kind=RETRIABLE)) == ["bandstand.W315"]
    patient = type("Unnamed", (Saga,), {"steps": [wait], "deadline": None})()
    assert list(check_saga(patient)) == []


@pytest.mark.parametrize(
    "steps",
    [
        [Timer("rest", until=timedelta(seconds=119)), Approval("manager"), Timer("stay", until=lambda _: DEADLINE)],
        [step("pay", kind=PIVOT, undo=nothing), Timer("rest", until=DEADLINE)],
        [Parallel("papers", Timer("rest", until=DEADLINE), step("invoice", kind=RETRIABLE))],
    ],
)
def test_what_ends_before_the_deadline_or_lies_behind_the_pivot_is_none(steps):
    assert faults(*steps) == []


def test_the_deadline_ends_an_optional_wait_too(stage):
    class Impatient(Saga):
        name = "declared_impatient"
        steps = [Approval("weather", timeout=timedelta(hours=1), optional=True)]

        def begin(self, event):
            return event, {}

    ended = stage.settle(stage.begin(Impatient, "i1"))
    assert (ended.status, ended.reason) == ("cancelled", "deadline")


def test_a_context_that_would_not_come_back_the_same_is_an_error():
    saga = type("Unnamed", (Saga,), {"steps": [step("a", undo=nothing)], "context": Basket})()
    assert [fault.id for fault in check_saga(saga)] == ["bandstand.E309"]


@dataclass(frozen=True)
class Basket:
    total: float


def test_two_sagas_of_one_name_are_refused():
    registry = Registry()
    registry.add(type("One", (Saga,), {"name": ""})())
    with pytest.raises(ValueError, match="two sagas are named"):
        registry.add(type("Two", (Saga,), {"name": ""})())


def test_publishing_its_event_starts_a_saga_in_the_same_transaction(stage):
    class BasketClosed(Event, name="project.basket_closed.v1", subject="basket"):
        """A basket was closed."""

        basket: str

    class Collect(Saga):
        name = "declared_collect"
        starts_on = BasketClosed
        steps = [step("only", kind=RETRIABLE)]

        def begin(self, event):
            return event.basket, {"basket": event.basket}

    with transaction.atomic():
        publish(BasketClosed(basket="gone"))
        transaction.set_rollback(True)
    with transaction.atomic():
        publish(BasketClosed(basket="b1"))
        assert SagaExecution.objects.get().business_key == "b1"
    stage.drive()
    row = SagaExecution.objects.get()
    assert (row.status, row.context_data) == ("completed", {"basket": "b1"})
    assert "saga.declared_collect.only.do.after_log" in crash_point_names()


def test_only_what_is_called_asked_or_done_has_crash_points():
    """A mere wait passes none: nobody can order a crash there."""

    class Waiting(Saga):
        steps = [
            Approval("silent"),
            Approval("told", ask=lambda call: None),
            Timer("rest", until=timedelta(minutes=1)),
            SagaStep("act", do=lambda call: None, no_undo="reads only"),
        ]

    steps = {point.split(".")[-3] for point in Waiting().crash_points()}
    assert steps == {"told", "act"}
