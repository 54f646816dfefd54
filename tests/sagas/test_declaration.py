"""Declaring a saga: what starts it, what is refused, what cannot be undone."""

import pytest
from django.db import transaction

from bandstand.events import Event, publish
from bandstand.lifecycle.crashpoints import crash_point_names
from bandstand.sagas import Saga, SagaExecution, SagaStep, StepKind
from bandstand.sagas.checks import check_saga
from bandstand.sagas.definition import StepCall
from bandstand.sagas.registry import Registry


def nothing(call: StepCall) -> None:
    return None


def step(name: str, **values) -> SagaStep:
    return SagaStep(name, do=nothing, **values)


PIVOT, RETRIABLE = StepKind.PIVOT, StepKind.RETRIABLE


def faults(*steps: SagaStep) -> list[str]:
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
    ],
)
def test_a_saga_that_could_not_be_undone_or_ended_is_an_error(steps, expected):
    assert faults(*steps) == expected


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
