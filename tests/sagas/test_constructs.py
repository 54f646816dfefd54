"""Branches, loops, waits, approvals, timers, conditions and children, run by the real worker on the real tables."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from bandstand.errors import ServiceTimeoutError
from bandstand.events import Event, publish
from bandstand.sagas import (
    Approval,
    ChildSaga,
    Each,
    Parallel,
    Saga,
    SagaExecution,
    SagaStep,
    StepCall,
    StepKind,
    StepRefused,
    Timer,
    WaitFor,
    starting,
)
from bandstand.sagas.signals import SignalName, signal
from tests.sagas.stage import Stage


class ParcelWeighed(Event, name="project.parcel_weighed.v1", subject="parcel"):
    parcel: str
    grams: int


@dataclass(frozen=True)
class Travel:
    """What the steps of a journey share."""

    traveller: str
    price: Decimal
    stops: tuple[str, ...] = ()
    wants_insurance: bool = False
    rooms: dict[str, str] = field(default_factory=dict)
    flight: str = ""
    car: str = ""
    grams: int = 0


_done: list[str] = []
_faults: dict[str, list[Exception]] = {}


def _note(what: str) -> None:
    faults = _faults.get(what)
    if faults:
        raise faults.pop(0)
    _done.append(what)


def _do(call: StepCall) -> None:
    _note(f"do {call.key.partition(':')[2]}")


def _undo(call: StepCall) -> None:
    _note(f"undo {call.key.partition(':')[2]}")


def book_flight(call: StepCall) -> dict[str, str]:
    _do(call)
    return {"flight": "BS1"}


def book_car(call: StepCall) -> dict[str, str]:
    _do(call)
    return {"car": "red"}


def book_room(call: StepCall) -> str:
    _do(call)
    return f"room in {call.item}"


def weigh(_: StepCall, event: ParcelWeighed) -> dict[str, int]:
    if event.grams > 30_000:
        raise StepRefused("too_heavy")
    return {"grams": event.grams}


class Insurance(Saga):
    name = "constructs_insurance"
    deadline = None
    steps = [SagaStep("quote", do=_do, undo=_undo), SagaStep("sign", do=_do, undo=_undo)]

    def begin(self, event: str) -> tuple[str, dict[str, str]]:
        return event, {"who": event}


class Journey(Saga):
    name = "constructs_journey"
    context = Travel
    deadline = timedelta(days=2)
    steps = [
        Parallel(
            "bookings",
            SagaStep("flight", do=book_flight, undo=_undo),
            [SagaStep("car", do=book_car, undo=_undo), SagaStep("seat", do=_do, undo=_undo)],
        ),
        Each(
            "hotels",
            SagaStep("room", do=book_room, undo=_undo),
            over=lambda travel: travel.stops,
            collect="rooms",
        ),
        ChildSaga(
            "insure",
            saga=Insurance,
            begin=lambda call: call.context.traveller,
            when=lambda travel: travel.wants_insurance,
        ),
        WaitFor("luggage", event=ParcelWeighed, key=lambda event: event.parcel, take=weigh),
        Approval("manager", timeout=timedelta(hours=8)),
        Timer("cool_off", until=timedelta(minutes=10)),
        SagaStep("pay", kind=StepKind.PIVOT, do=_do, undo=_undo),
        Parallel(
            "papers", SagaStep("invoice", kind=StepKind.RETRIABLE, do=_do), Timer("rest", until=timedelta(hours=1))
        ),
    ]

    def begin(self, event: Travel) -> tuple[str, Travel]:
        return event.traveller, event


@pytest.fixture(autouse=True)
def _fresh() -> None:
    _done.clear()
    _faults.clear()


def begin(stage: Stage, **facts: object) -> SagaExecution:
    saga_id = starting.start(Journey, Travel(traveller="ada", price=Decimal("10.50"), stops=("Rome", "Bari"), **facts))
    assert saga_id is not None
    stage.drive()
    return stage.row(saga_id)


def weighed(grams: int) -> None:
    with transaction.atomic():
        publish(ParcelWeighed(parcel="ada", grams=grams))


def approve(name: SignalName = SignalName.APPROVED, **said: str) -> bool:
    return signal("constructs_journey", "ada", name, step="manager", said_by="grace", **said)


def test_branches_loops_and_waits_lead_to_the_end(stage: Stage) -> None:
    row = begin(stage)
    assert (row.status, row.step) == ("waiting", "luggage")
    assert set(_done) == {"do flight", "do car", "do seat", "do room:Rome", "do room:Bari"}
    assert row.context_data["rooms"] == {"Rome": "room in Rome", "Bari": "room in Bari"}
    weighed(900)
    stage.drive()
    assert (row := stage.row(row.pk)).step == "manager"
    assert row.context_data["grams"] == 900
    assert approve()
    stage.drive()
    assert stage.row(row.pk).step == "cool_off"
    stage.clock.advance(601)
    stage.drive()
    assert "do pay" in _done
    assert stage.row(row.pk).step == "rest"
    assert stage.settle(row.pk, seconds=4000).status == "completed"
    assert not [one for one in _done if one.startswith("undo")]


def test_an_event_that_comes_before_its_step_is_kept_for_it(stage: Stage) -> None:
    _faults["do car"] = [ServiceTimeoutError("no answer")]
    row = begin(stage)
    weighed(900)
    stage.drive()
    assert stage.row(row.pk).step == "car"
    stage.clock.advance(1)
    stage.drive()
    assert stage.row(row.pk).step == "manager"


def test_a_refused_branch_undoes_what_all_branches_did_in_reverse(stage: Stage) -> None:
    _faults["do seat"] = [StepRefused("full")]
    row = begin(stage)
    assert (row.status, row.reason) == ("compensated", "full")
    assert sorted(_done[:2]) == ["do car", "do flight"]
    assert _done[2:] == [f"undo {one.removeprefix('do ')}" for one in reversed(_done[:2])]


def test_a_branch_is_tried_again_while_the_call_of_another_hangs(stage: Stage) -> None:
    _faults["do car"] = [ServiceTimeoutError("no answer")]
    starting.start(Journey, Travel(traveller="ada", price=Decimal(1)))
    stage.worker.turn()
    hanging = stage.pool.jobs.pop(0)
    stage.pool.run()
    stage.worker.turn()
    stage.clock.advance(1)
    stage.worker.turn()
    assert stage.pool.run()
    assert _done == ["do car"]
    hanging()
    assert _done == ["do car", "do flight"]


def test_a_branch_of_unknown_outcome_is_buried_when_another_is_refused(stage: Stage) -> None:
    _faults["do flight"] = [ServiceTimeoutError("no answer")]
    _faults["do seat"] = [StepRefused("full")]
    row = begin(stage)
    assert (row.status, row.reason) == ("compensated", "full")
    assert set(_done) == {"do car", "undo car", "undo flight"}


def test_a_rejection_undoes_every_item_of_a_loop(stage: Stage) -> None:
    row = begin(stage)
    weighed(900)
    stage.drive()
    approve(SignalName.REJECTED, note="too dear")
    assert (row := stage.settle(row.pk)).status == "compensated"
    assert row.reason == "too dear"
    assert {one.removeprefix("undo ") for one in _done if one.startswith("undo")} == {
        one.removeprefix("do ") for one in _done if one.startswith("do")
    }


def test_a_refusing_event_turns_the_saga_back(stage: Stage) -> None:
    row = begin(stage)
    weighed(31_000)
    assert (row := stage.settle(row.pk)).reason == "too_heavy"
    assert row.status == "compensated"


def test_an_approval_that_never_comes_turns_the_saga_back(stage: Stage) -> None:
    row = begin(stage)
    weighed(900)
    stage.drive()
    stage.clock.advance(timedelta(hours=8))
    assert stage.settle(row.pk).status == "cancelled"


def test_a_child_ends_with_its_parent(stage: Stage) -> None:
    row = begin(stage, wants_insurance=True)
    child = SagaExecution.objects.get(type="constructs_insurance")
    assert (child.status, child.parent_id) == ("waiting", row.pk)
    weighed(900)
    approve()
    stage.drive()
    stage.clock.advance(601)
    assert stage.settle(row.pk, seconds=4000).status == "completed"
    assert stage.settle(child.pk).status == "completed"


def test_a_child_is_undone_with_its_parent(stage: Stage) -> None:
    row = begin(stage, wants_insurance=True)
    weighed(900)
    approve(SignalName.REJECTED)
    assert stage.settle(row.pk).status == "compensated"
    child = SagaExecution.objects.get(type="constructs_insurance")
    assert (child.status, child.reason) == ("cancelled", "parent")
    assert {"undo sign", "undo quote"} < set(_done)


def test_a_refused_child_turns_its_parent_back(stage: Stage) -> None:
    _faults["do sign"] = [StepRefused("too_old")]
    row = begin(stage, wants_insurance=True)
    assert (row := stage.settle(row.pk)).status == "compensated"
    assert row.reason == "too_old"
