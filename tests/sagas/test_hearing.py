"""What a saga makes of what is said to it: replies, confirmations, ends of children, words of the wrong kind."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction

from bandstand import clock
from bandstand.errors import ServiceTimeoutError
from bandstand.events import Event, publish, subscribe_locally
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
    StepRefused,
    Timer,
    WaitFor,
    host,
    starting,
)
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.signals import SignalName, send
from tests.sagas.stage import Stage


class HoldAsked(Event, name="project.hold_asked.v1", subject="key"):
    key: str


class HoldGiven(Event, name="project.hold_given.v1", subject="key"):
    key: str


class HoldTakenBack(Event, name="project.hold_taken_back.v1", subject="key"):
    key: str


class BellRung(Event, name="project.bell_rung.v1", subject="guest"):
    guest: str


_calls: list[str] = []
_faults: list[Exception] = []
_asked: list[str] = []


def _do(call: StepCall) -> None:
    _calls.append(call.key.partition(":")[2])
    if _faults:
        raise _faults.pop(0)


def _take(call: StepCall, event: BellRung) -> None:
    if _faults:
        raise _faults.pop(0)


class Guest(Saga):
    """What the sagas here have in common."""

    deadline = None

    def begin(self, event: str) -> tuple[str, dict[str, str]]:
        return event, {"guest": event}


class Stay(Guest):
    name = "hearing_stay"
    steps = [
        SagaCommand(
            "hold",
            send=lambda call: HoldAsked(key=call.key),
            reply=HoldGiven,
            reply_key=lambda event: event.key,
            recall=lambda call: HoldAsked(key=call.key),
            recalled=HoldTakenBack,
            recalled_key=lambda event: event.key,
        ),
        Approval("manager"),
    ]


class Bell(Guest):
    name = "hearing_bell"
    steps = [WaitFor("bell", event=BellRung, key=lambda event: event.guest, take=_take)]


class Retried(Guest):
    name = "hearing_retried"
    steps = [Parallel("both", SagaStep("call", do=_do, undo=_do), SagaStep("other", do=_do, undo=_do))]


class Companion(Guest):
    name = "hearing_companion"
    steps = [SagaStep("greet", do=_do, undo=_do)]


class Host(Guest):
    name = "hearing_host"
    steps = [ChildSaga("invite", saga=Companion, begin=lambda call: call.context["guest"]), Approval("manager")]


class Rooms(Guest):
    name = "hearing_rooms"
    steps = [
        Each(
            "rooms",
            SagaStep("room", do=_do, undo=_do, renew_every=timedelta(seconds=30)),
            over=lambda _: (7,),
            key=lambda number: number,  # type: ignore[arg-type, return-value]  # what happens to numbers is tested
        ),
        Timer("stay", until=timedelta(days=2)),
    ]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    _calls.clear()
    _faults.clear()
    _asked.clear()
    subscribe_locally(HoldAsked, _note_asked)


def _note_asked(event: HoldAsked, _: object) -> None:
    _asked.append(event.key)


def begin(stage: Stage, saga: type[Saga]) -> UUID:
    saga_id = starting.start(saga, "ada")
    assert saga_id is not None
    stage.drive()
    return saga_id


def say(event: Event) -> None:
    with transaction.atomic():
        publish(event)


def tell(stage: Stage, saga_id: UUID, name: SignalName, **said: object) -> SagaExecution:
    send(saga_id, name, **said)
    stage.drive()
    return stage.row(saga_id)


def test_a_late_reply_does_not_confirm_a_recall(stage: Stage) -> None:
    saga_id = begin(stage, Stay)
    tell(stage, saga_id, SignalName.CANCEL)
    say(HoldGiven(key=_asked[0]))
    stage.drive()
    assert stage.row(saga_id).status == "compensating"
    say(HoldTakenBack(key=_asked[0]))
    assert stage.settle(saga_id).status == "cancelled"


def test_a_recall_without_an_answer_is_repeated_ever_more_rarely(stage: Stage) -> None:
    saga_id = begin(stage, Stay)
    tell(stage, saga_id, SignalName.CANCEL)
    for _ in range(60):
        stage.clock.advance(30)
        stage.drive()
    assert 30 <= len(_asked) <= 40, "a minute apart in the end"


@pytest.mark.parametrize("key", ["order-7", "00000000-0000-0000-0000-000000000000:hold"])
def test_a_reply_to_somebody_else_is_not_for_us(stage: Stage, key: str) -> None:
    say(HoldGiven(key=key))
    assert not SagaSignal.objects.exists()


def test_an_event_that_cannot_be_read_is_kept_until_it_can(stage: Stage) -> None:
    saga_id = begin(stage, Bell)
    _faults.append(KeyError("tone"))
    say(BellRung(guest="ada"))
    stage.drive()
    assert "tone" in stage.row(saga_id).error
    stage.clock.advance(61)
    stage.drive()
    assert stage.row(saga_id).status == "completed"


@pytest.mark.parametrize("name", [SignalName.APPROVED, SignalName.REJECTED, SignalName.HEARD])
def test_words_for_another_kind_of_step_change_nothing(stage: Stage, name: SignalName) -> None:
    _faults[:] = [ServiceTimeoutError("no answer")]
    saga_id = begin(stage, Retried)
    assert tell(stage, saga_id, name, step="call").step == "call"
    assert not SagaSignal.objects.filter(taken_at=None).exists()


def test_words_of_a_later_release_are_kept(stage: Stage) -> None:
    saga_id = begin(stage, Bell)
    SagaSignal.objects.create(saga_id=saga_id, name="applauded", at=clock.database_now())
    stage.worker.notice(saga_id)
    stage.drive()
    assert SagaSignal.objects.filter(kept=True, taken_at=None).exists()
    say(BellRung(guest="ada"))
    assert stage.settle(saga_id).status == "completed"


def test_one_branch_is_retried_while_the_call_of_another_is_under_way(stage: Stage) -> None:
    _faults[:] = [ServiceTimeoutError("no answer")]
    saga_id = starting.start(Retried, "ada")
    stage.worker.turn()
    stage.pool.run()
    stage.worker.turn()
    stage.clock.advance(1)
    stage.worker.turn()
    (other, *again) = stage.pool.jobs
    assert len(again) == 1
    stage.pool.jobs = again
    stage.drive()
    assert _calls == ["call", "call"]
    stage.pool.jobs = [other]
    assert saga_id is not None
    assert stage.settle(saga_id).status == "completed"


def test_a_call_that_has_waited_too_long_for_a_thread_is_not_sent(stage: Stage) -> None:
    starting.start(Companion, "ada")
    stage.worker.turn()
    stage.clock.advance(31)
    stage.pool.run()
    assert _calls == []


# ---- children


def test_a_child_that_is_ready_is_not_cancelled_on_its_own(stage: Stage) -> None:
    begin(stage, Host)
    child = SagaExecution.objects.get(type=Companion.name)
    assert tell(stage, child.pk, SignalName.CANCEL).lease_until is not None


def test_a_child_that_was_undone_by_order_takes_its_parent_back(stage: Stage) -> None:
    saga_id = begin(stage, Host)
    child = SagaExecution.objects.get(type=Companion.name)
    assert tell(stage, child.pk, SignalName.COMPENSATE, note="fraud").status == "cancelled"
    assert (row := stage.settle(saga_id)).status == "compensated"
    assert row.reason == "fraud"


def test_a_child_whose_parent_ends_first_ends_when_it_is_ready(stage: Stage) -> None:
    _faults[:] = [ServiceTimeoutError("no answer")]
    saga_id = begin(stage, Host)
    tell(stage, saga_id, SignalName.SKIP, step="invite", note="by telephone")
    assert tell(stage, saga_id, SignalName.APPROVED, step="manager").status == "completed"
    child = SagaExecution.objects.get(type=Companion.name)
    assert stage.settle(child.pk).status == "completed"


def test_a_child_that_refuses_while_its_parent_turns_back_is_undone_once(stage: Stage) -> None:
    saga_id = begin(stage, Host)
    child = SagaExecution.objects.get(type=Companion.name)
    send(child.pk, SignalName.COMPENSATE, note="fraud")
    send(saga_id, SignalName.CANCEL)
    assert stage.settle(saga_id).status in ("cancelled", "compensated")
    assert _calls == ["greet", "greet"]


# ---- what is left


def test_what_is_said_to_a_saga_that_has_ended_is_not_looked_at_for_ever(stage: Stage) -> None:
    saga_id = begin(stage, Companion)
    assert tell(stage, saga_id, SignalName.RETRY).status == "completed"
    stage.clock.advance(60)
    stage.drive()
    assert not SagaSignal.objects.filter(taken_at=None).exists()


def test_a_step_within_a_loop_is_renewed_under_the_key_of_its_item(stage: Stage) -> None:
    begin(stage, Rooms)
    stage.clock.advance(31)
    stage.drive()
    assert _calls == ["room:7", "room:7"]


@pytest.mark.parametrize("waits", [True, False], ids=["leaves between calls", "leaves with a wave"])
def test_who_leaves_hands_over_what_must_be_renewed_at_once(stage: Stage, *, waits: bool) -> None:
    saga_id = starting.start(Rooms, "ada")
    if waits:
        stage.drive()
    else:
        stage.worker.turn()
    stage.worker.leave() if waits else _leave_in_a_wave(stage)
    assert saga_id is not None
    until = stage.row(saga_id).lease_until
    assert until is not None
    assert until <= stage.clock.now()


def _leave_in_a_wave(stage: Stage) -> None:
    stage.pool.run()
    stage.worker.leave()


def test_a_refusal_of_a_renewal_is_heard(stage: Stage) -> None:
    saga_id = begin(stage, Rooms)
    _faults[:] = [StepRefused("expired")]
    stage.clock.advance(31)
    stage.drive()
    assert (row := stage.settle(saga_id)).status == "compensated"
    assert row.reason == "expired"
    assert host.worker() is stage.worker
