"""What `sagas list` says of a saga that waits."""

from datetime import timedelta

import pytest
from django.db import transaction

from bandstand import clock
from bandstand.errors import Conflict
from bandstand.events import publish
from bandstand.sagas import Approval, Limit, Rate, Saga, SagaExecution, operations, starting
from bandstand.sagas.operations.actions import Action, Deed
from bandstand.sagas.signals import SignalName, send
from tests.sagas.errand import Errand, Errands, KeysFound
from tests.sagas.stage import Stage


def why(saga_id: object) -> str:
    return operations.why(SagaExecution.objects.get(pk=saga_id), clock.database_now())


def stuck(saga_id: object) -> str:
    return operations.stuck(SagaExecution.objects.get(pk=saga_id), clock.database_now())


def test_an_unknown_outcome_says_the_step_the_attempt_the_error_and_when_it_goes_on(stage: Stage) -> None:
    stage.shop.order("capture.do", "always:lost_request")
    saga_id = stage.start("o1")
    stage.drive()
    said = why(saga_id)
    assert said.startswith("unknown: capture, attempt 1, ServiceTimeoutError: no answer; next in")
    assert said.endswith("turns back at 12:00Z")


def test_a_step_that_surely_did_not_happen_fails_rather_than_being_unknown(stage: Stage) -> None:
    stage.shop.order("reserve.do", "always:unsent")
    saga_id = stage.start("o2")
    stage.drive()
    assert why(saga_id).startswith("fails: reserve, attempt 1, ServiceConnectionError: connection refused;")


def test_a_call_under_way_is_said_to_be_so(stage: Stage) -> None:
    saga_id = stage.start("o3")
    assert why(saga_id) == "validate, attempt 1 under way"


def test_behind_the_pivot_it_is_said_that_there_is_no_end_to_the_attempts(stage: Stage) -> None:
    stage.shop.order("commit.do", "always:refuse")
    saga_id = stage.start("o4")
    stage.drive()
    assert "BusinessRuleViolated" in why(saga_id)
    assert why(saga_id).endswith("behind the pivot, so until it succeeds")


def test_an_undo_that_failed_ten_times_is_a_failed_compensation_and_stuck(stage: Stage) -> None:
    stage.shop.order("reserve.undo", "always:error")
    stage.shop.order("capture.do", "refuse")
    saga_id = stage.start("o5")
    stage.drive()
    assert why(saga_id).startswith("undo of reserve, attempt 1, ServiceHTTPError: HTTP 500; next in")
    assert stuck(saga_id) == ""
    for _ in range(120):
        stage.drive()
        stage.clock.advance(5)
    assert why(saga_id).startswith("compensation failed: undo of reserve, attempt 2")
    assert stuck(saga_id) == "compensation failed"


def test_a_saga_that_nobody_works_on_is_stuck(stage: Stage) -> None:
    saga_id = stage.start("o6")
    stage.clock.advance(timedelta(minutes=5))
    assert stuck(saga_id) == "no worker"
    assert why(saga_id).endswith("no worker has taken it for 4m 50s: does one run?")


def test_a_step_that_this_release_lacks_parks_the_saga(stage: Stage) -> None:
    saga_id = stage.start("o7")
    row = stage.row(saga_id)
    row.state = row.state.replace('"validate"', '"gone"').replace('"running"', '"parked"')
    row.status = "parked"
    row.save()
    assert why(saga_id) == "parked: this release has no step 'gone'; deploy one that has it"
    assert stuck(saga_id) == "parked"


def test_a_saga_that_this_release_does_not_declare_is_left_to_one_that_does(stage: Stage) -> None:
    saga_id = stage.start("o8")
    SagaExecution.objects.filter(pk=saga_id).update(type="retired")
    assert why(saga_id).startswith("parked: this release declares no version 1 of 'retired'")


def test_one_that_could_not_even_be_read_says_what_was_wrong(stage: Stage) -> None:
    saga_id = stage.start("o10")
    SagaExecution.objects.filter(pk=saga_id).update(status="parked", error="this release cannot go on with it: why")
    assert why(saga_id) == "parked: this release cannot go on with it: why"


class Held(Saga):
    name = "test_held_back"
    limit = Limit(live=1, starts=Rate(count=5, per=timedelta(minutes=1)))
    steps = [Approval("release")]

    def begin(self, event: str) -> tuple[str, dict[str, str]]:
        return event, {}


@pytest.mark.usefixtures("keys")
def test_a_pending_saga_names_the_limit_or_the_moment_of_its_start(stage: Stage) -> None:
    for key in ("first", "second"):
        starting.start(Held, key)
        stage.drive()
        stage.clock.advance(1)
    second = SagaExecution.objects.get(business_key="second")
    assert why(second.pk) == "pending: a limit is reached: at most 1 under way, at most 5 starts in 1m"
    with pytest.raises(Conflict, match="begins nothing that is held back: it is pending"):
        operations.act(second.pk, Deed(action=Action.RETRY, by="ada"))
    later = starting.start(Errand, Errands(owner="eve"), at=clock.database_now() + timedelta(hours=1))
    assert why(later).startswith("pending: begins at 13:00Z")


def test_one_that_has_ended_says_why_it_ended(stage: Stage) -> None:
    stage.shop.order("capture.do", "refuse")
    saga_id = stage.start("o9")
    stage.settle(saga_id)
    stage.clock.advance(90)
    assert why(saga_id) == "capture_refused; ended 1m 30s ago"
    assert stuck(saga_id) == ""


@pytest.fixture
def errand(stage: Stage, keys: None) -> SagaExecution:
    """One that waits to be approved."""
    saga_id = starting.start(Errand, Errands(owner="ada", places=("bank",)))
    stage.drive()
    return stage.row(saga_id)


def test_approvals_events_and_timers_are_named_with_their_ends(stage: Stage, errand: SagaExecution) -> None:
    stage.clock.advance(timedelta(hours=2))
    stage.drive()
    waits = "waits for approval manager by someone with orders.approve_errand since 2h; turns back at 20:00Z"
    assert why(errand.pk) == waits
    send(errand.pk, SignalName.APPROVED, step="manager")
    stage.drive()
    expected = "waits for event project.keys_found.v1 (keys) since 0s; goes on without at 15:00Z"
    assert why(errand.pk) == expected
    with transaction.atomic():
        publish(KeysFound(owner="ada"))
    stage.drive()
    assert why(errand.pk) == "until 14:10Z (timer cool_off)"


def test_a_proposal_is_said_beside_the_reason(errand: SagaExecution) -> None:
    deed = Deed(action=Action.RESOLVE, by="ada", note="seen", step="manager", outcome="happened")
    told = operations.act(errand.pk, deed)
    (known,) = operations.facts([errand])
    assert known["why"].endswith(
        f"resolve manager is proposed by ada (proposal {told.signal_id}) and waits for another person"
    )
