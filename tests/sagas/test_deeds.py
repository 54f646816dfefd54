"""What a person does to a saga: what it takes, what is refused, and what stays as the record."""

from datetime import timedelta
from typing import Any

import pytest

from bandstand.errors import Conflict, NotFound, PermissionDenied, ValidationFailed
from bandstand.sagas import SagaExecution, approve, operations, reject, starting
from bandstand.sagas.checks import check_settings
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.operations.actions import NOTED, Action, Deed, Told
from tests.sagas.errand import Errand, Errands
from tests.sagas.stage import Stage


def act(row: SagaExecution, action: Action, *, by: str = "ada", note: str = "because", **more: object) -> Told:
    return operations.act(row.pk, Deed(action=action, by=by, note=note, **more))  # type: ignore[arg-type]


def held(stage: Stage, call: str, fault: str = "always:lost_request") -> SagaExecution:
    """A checkout that waits at the step of this call."""
    stage.shop.order(call, fault)
    saga_id = stage.start(f"held at {call} by {fault}")
    stage.drive()
    return stage.row(saga_id)


@pytest.fixture
def waiting(stage: Stage, keys: None) -> SagaExecution:
    """An errand that waits to be approved."""
    saga_id = starting.start(Errand, Errands(owner="ada"))
    stage.drive()
    return stage.row(saga_id)


def finish(stage: Stage, row: SagaExecution) -> SagaExecution:
    stage.drive()
    return stage.settle(row.pk)


@pytest.mark.parametrize("action", sorted(NOTED))
def test_what_changes_a_saga_by_hand_needs_a_note(stage: Stage, action: Action) -> None:
    row = held(stage, "capture.do")
    with pytest.raises(ValidationFailed, match="--note"):
        act(row, action, note=" ", step="capture", outcome="happened")
    assert not SagaSignal.objects.filter(saga_id=row.pk).exists()


def test_a_deed_is_a_signal_that_says_who_why_when_and_when_it_was_taken(stage: Stage) -> None:
    row = held(stage, "capture.do")
    act(row, Action.CANCEL, note="the customer called")
    assert finish(stage, row).reason == "requested"
    said = SagaSignal.objects.get(saga_id=row.pk)
    assert (said.name, said.said_by, said.note) == ("cancel", "ada", "the customer called")
    assert said.taken_at is not None


def test_a_note_of_any_length_ends_a_saga(stage: Stage) -> None:
    """The reason of a saga is a column of 200 characters; PostgreSQL refuses more, wave after wave."""
    row = held(stage, "capture.do")
    act(row, Action.COMPENSATE, note="so " * 400)
    assert finish(stage, row).reason == ("so " * 400)[:200]


def test_retrying_what_only_waits_is_refused_and_says_what_it_waits_for(stage: Stage, waiting: SagaExecution) -> None:
    row = waiting
    with pytest.raises(Conflict, match="waits for approval manager"):
        act(row, Action.RETRY)


def test_skipping_wants_a_step_at_hand_and_offers_those_there_are(stage: Stage) -> None:
    row = held(stage, "reserve.do")
    with pytest.raises(ValidationFailed, match="name the step with --step; at hand: reserve"):
        act(row, Action.SKIP)
    with pytest.raises(Conflict, match="'capture' is not at hand; at hand: reserve"):
        act(row, Action.SKIP, step="capture")


def test_a_skipped_step_that_may_have_happened_is_still_undone(stage: Stage) -> None:
    row = held(stage, "reserve.do", "always:lost_reply")
    stage.shop.order("capture.do", "refuse")
    told = act(row, Action.SKIP, step="reserve")
    assert "it is undone if the saga turns back" in told.says
    assert finish(stage, row).status == "compensated"
    assert stage.shop.participants.net("held", row.pk) == 0


def test_a_parked_step_cannot_be_skipped_forward_since_nothing_is_known_to_follow(stage: Stage) -> None:
    row = held(stage, "reserve.do")
    row.state = row.state.replace('"unit":"reserve"', '"unit":"gone"')
    row.save()
    with pytest.raises(Conflict, match="this release has no step 'gone'"):
        act(row, Action.SKIP, step="gone")


def test_compensating_past_effects_that_stay_needs_force_and_names_them(stage: Stage) -> None:
    row = held(stage, "confirm.do", "always:error")
    with pytest.raises(Conflict, match="commit: done and without an undo"):
        act(row, Action.COMPENSATE)
    assert "these stay: commit" in act(row, Action.COMPENSATE, force=True).says
    row = finish(stage, row)
    assert (row.status, row.reason) == ("cancelled", "because")
    assert stage.shop.participants.net("charged", row.pk) == 0


def test_a_cancel_behind_the_pivot_is_refused_since_it_changes_nothing(stage: Stage) -> None:
    row = held(stage, "commit.do", "always:unsent")
    with pytest.raises(Conflict, match="it has passed its pivot, where a cancel changes nothing"):
        act(row, Action.CANCEL)


def test_what_turns_back_already_is_not_turned_back_again(stage: Stage) -> None:
    stage.shop.order("reserve.undo", "always:error")
    row = held(stage, "capture.do", "refuse")
    for action in (Action.CANCEL, Action.COMPENSATE):
        with pytest.raises(Conflict, match="turning back already: undo of reserve"):
            act(row, action)


def test_of_a_saga_that_has_ended_only_a_note_can_be_taken(stage: Stage) -> None:
    saga_id = stage.start("over")
    row = stage.settle(saga_id)
    with pytest.raises(Conflict, match="it has ended completed: only `annotate` is possible"):
        act(row, Action.RETRY)
    act(row, Action.ANNOTATE, note="refunded by hand")
    said = SagaSignal.objects.get(saga_id=saga_id)
    assert said.taken_at == said.at


# ---- resolving


@pytest.mark.parametrize(("outcome", "status"), [("happened", "completed"), ("did-not-happen", "compensated")])
@pytest.mark.usefixtures("alone")
def test_a_resolved_step_lets_the_saga_go_on_or_turns_it_back(stage: Stage, outcome: str, status: str) -> None:
    row = held(stage, "capture.do")
    act(row, Action.RESOLVE, step="capture", outcome=outcome)
    assert finish(stage, row).status == status


def test_that_nothing_has_happened_is_not_said_of_later_attempts(stage: Stage) -> None:
    """Between the two people who resolve it, the step is tried again, and this time it is done unheard."""
    row = held(stage, "capture.do")
    act(row, Action.RESOLVE, step="capture", outcome="did-not-happen")
    stage.shop.order("capture.do", "always:lost_reply")
    stage.clock.advance(5)
    stage.drive()
    assert stage.shop.participants.net("charged") == 1
    operations.confirm(row.pk, by="grace")
    assert finish(stage, row).status == "compensated"
    assert stage.shop.participants.net("charged") == 0


@pytest.mark.usefixtures("alone")
def test_what_has_not_happened_behind_the_pivot_is_tried_again_at_once(stage: Stage) -> None:
    row = held(stage, "commit.do")
    stage.shop.order("commit.do")
    act(row, Action.RESOLVE, step="commit", outcome="did-not-happen")
    stage.drive()
    assert stage.row(row.pk).status == "completed"


@pytest.mark.usefixtures("alone")
def test_on_the_way_back_only_undone_is_an_outcome(stage: Stage) -> None:
    stage.shop.order("reserve.undo", "always:error")
    row = held(stage, "capture.do", "refuse")
    with pytest.raises(ValidationFailed, match="on the way back say --outcome undone"):
        act(row, Action.RESOLVE, step="reserve", outcome="happened")
    act(row, Action.RESOLVE, step="reserve", outcome="undone")
    assert finish(stage, row).status == "compensated"


@pytest.mark.usefixtures("alone")
def test_an_outcome_said_on_the_way_forward_does_not_count_on_the_way_back(stage: Stage) -> None:
    """`happened` would be taken for `undone`, and the effect would stay."""
    row = held(stage, "capture.do", "always:lost_reply")
    act(row, Action.CANCEL)
    SagaSignal.objects.filter(saga_id=row.pk).update(id=10**6)  # it is taken in after the other
    stage.shop.order("capture.undo", "always:error")
    stage.drive()
    assert stage.row(row.pk).direction == "undo"
    stale = SagaSignal.objects.create(
        saga_id=row.pk,
        name="resolve",
        step="capture",
        payload='{"outcome":"ok","direction":"do"}',
        at=stage.clock.now(),
    )
    stage.clock.advance(600)
    stage.drive()
    stale.refresh_from_db()
    assert stale.taken_at is not None
    assert stage.row(row.pk).step == "capture"
    stage.shop.order("capture.undo")
    finish(stage, row)
    assert stage.shop.participants.net("charged", row.pk) == 0


@pytest.mark.usefixtures("alone")
def test_what_is_said_of_a_step_waits_for_the_answer_of_its_call(stage: Stage) -> None:
    saga_id = stage.start("calling")
    stage.worker.turn()
    row = stage.row(saga_id)
    assert row.step == "validate"
    act(row, Action.RESOLVE, step="validate", outcome="did-not-happen")
    stage.worker.turn()
    assert SagaSignal.objects.get(saga_id=saga_id).kept
    assert stage.settle(saga_id).status == "completed", "the call was answered, and the answer counts"
    assert SagaSignal.objects.get(saga_id=saga_id).taken_at is not None


# ---- approving


def test_the_one_approval_that_waits_needs_no_name(stage: Stage, waiting: SagaExecution) -> None:
    row = waiting
    assert act(row, Action.APPROVE, note="").says == "manager is approved"
    stage.drive()
    assert stage.row(row.pk).step == "keys"


def test_a_rejection_turns_the_saga_back_for_the_reason_of_its_note(stage: Stage, waiting: SagaExecution) -> None:
    row = waiting
    act(row, Action.REJECT, note="too dear")
    assert (finish(stage, row).status, stage.row(row.pk).reason) == ("compensated", "too dear")


def test_nothing_can_be_approved_where_nothing_waits_for_it(stage: Stage) -> None:
    with pytest.raises(Conflict, match="no approval waits here: it unknown: capture"):
        act(held(stage, "capture.do"), Action.APPROVE)


def test_an_approval_may_name_its_own_permission(stage: Stage, waiting: SagaExecution) -> None:
    row = waiting
    assert operations.permission_for(row, Action.APPROVE) == "orders.approve_errand"
    assert operations.permission_for(row, Action.SKIP) == "bandstand_sagas.skip_saga"


class Person:
    """A user as `django.contrib.auth` has them."""

    def __init__(self, *permissions: str) -> None:
        self.permissions = permissions

    def get_username(self) -> str:
        return "grace"

    def has_perm(self, perm: str) -> bool:
        return perm in self.permissions


def test_a_user_answers_in_code_with_the_permission_that_the_approval_names(
    stage: Stage, waiting: SagaExecution
) -> None:
    for answer in (approve, reject):
        with pytest.raises(PermissionDenied, match=r"orders\.approve_errand"):
            answer(Errand, waiting.business_key, user=Person("bandstand_sagas.approve_saga"))
    told = approve(Errand, waiting.business_key, user=Person("orders.approve_errand"), note="fair")
    assert told.says == "manager is approved"
    said = SagaSignal.objects.get(saga_id=waiting.pk)
    assert (said.name, said.step, said.said_by, said.note) == ("approved", "manager", "grace", "fair")
    stage.drive()
    assert stage.row(waiting.pk).step == "keys"


def test_a_user_rejects_in_code(stage: Stage, waiting: SagaExecution) -> None:
    reject("test_errand", waiting.business_key, user=Person("orders.approve_errand"), note="too dear")
    assert finish(stage, waiting).reason == "too dear"


def test_nobody_answers_for_a_saga_that_is_not_there(stage: Stage) -> None:
    with pytest.raises(NotFound, match="no saga test_errand of nobody is under way"):
        approve(Errand, "nobody", user=Person())


# ---- four eyes


def test_what_takes_two_persons_does_nothing_until_another_one_confirms(stage: Stage) -> None:
    row = held(stage, "capture.do")
    told = act(row, Action.RESOLVE, step="capture", outcome="happened")
    assert told.is_proposed
    stage.clock.advance(2)
    stage.drive()
    assert SagaSignal.objects.get(saga_id=row.pk).taken_at is None
    with pytest.raises(Conflict, match="ada has proposed it"):
        operations.confirm(row.pk, by="Ada")
    operations.confirm(row.pk, by="grace")
    assert finish(stage, row).status == "completed"
    said = SagaSignal.objects.get(saga_id=row.pk)
    assert (said.said_by, said.seconded_by, said.proposed) == ("ada", "grace", False)
    assert said.seconded_at is not None


def test_a_skip_takes_two_persons_only_on_the_way_back(stage: Stage) -> None:
    stage.shop.order("reserve.undo", "always:error")
    assert act(held(stage, "capture.do", "refuse"), Action.SKIP, step="reserve").is_proposed
    stage.shop.order("reserve.undo")
    assert not act(held(stage, "capture.do"), Action.SKIP, step="capture").is_proposed


def test_an_action_that_takes_two_persons_and_does_not_exist_is_a_fault_of_the_settings(settings: Any) -> None:
    settings.BANDSTAND = {**settings.BANDSTAND, "SAGAS": {"FOUR_EYES": ("resolve", "forget")}}
    (fault,) = check_settings()
    assert "'forget'" in fault.msg


def test_a_proposal_lapses_when_the_saga_has_moved_on_or_a_day_has_passed(stage: Stage) -> None:
    row = held(stage, "capture.do")
    act(row, Action.RESOLVE, step="capture", outcome="happened")
    stage.shop.order("capture.undo", "always:error")
    stage.shop.order("capture.do", "refuse")
    for _ in range(20):
        stage.drive()
        stage.clock.advance(1)
    assert stage.row(row.pk).direction == "undo"
    with pytest.raises(Conflict, match="the saga has turned back since it was proposed"):
        operations.confirm(row.pk, by="grace")
    stage.clock.advance(timedelta(days=1))
    with pytest.raises(NotFound, match="propose it again"):
        operations.confirm(row.pk, by="grace")
