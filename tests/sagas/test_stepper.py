"""Stories of sagas: told on the engine alone, and on the real worker."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bandstand.sagas import SagaExecution
from bandstand.testing.sagas import SagaStage, on_stage, stepper
from tests.sagas.shop import Checkout, Participants, Shop, open_shop, order_history
from tests.sagas.test_constructs import Journey, ParcelWeighed, Travel

TRAVEL = Travel(traveller="ada", price=Decimal("10.50"), stops=("Rome", "Bari"))


def test_a_refusal_undoes_what_was_done() -> None:
    story = stepper(Checkout, "o1").when("capture", refuses="declined").runs()
    story.then(status="compensated", reason="declined", done=["validate"], undone=["reserve"])
    story.then(calls=["do validate", "do reserve", "do capture", "undo reserve"])


def test_a_story_without_orders_goes_well() -> None:
    stepper(Checkout, "o1").when("confirm", returns={"by": "ada"}).runs().then(
        status="completed", undone=[], context={"order": "o1", "by": "ada"}
    )


def test_an_unanswered_step_is_repeated_and_at_last_undone() -> None:
    stepper(Checkout, "o1").when("capture", unanswered=2).runs().then(status="completed")
    story = stepper(Checkout, "o1").when("capture", unanswered=1000).runs()
    story.then(status="cancelled", reason="deadline", undone=["capture", "reserve"])


def test_an_unsent_step_is_not_undone() -> None:
    story = stepper(Checkout, "o1").when("capture", unsent=1000).runs()
    story.then(status="cancelled", undone=["reserve"])


@pytest.mark.parametrize("moment", ["before_intent", "after_intent", "after_call", "after_log"])
def test_a_crash_changes_nothing_but_the_attempts(moment: str) -> None:
    story = stepper(Checkout, "o1").crash("capture", moment=moment).runs().then(status="completed")
    assert story.calls.count("do capture") == (2 if moment == "after_call" else 1)


def test_a_crash_within_an_undo_repeats_it() -> None:
    story = stepper(Checkout, "o1").when("capture", refuses="declined").crash("reserve", direction="undo").runs()
    story.then(status="compensated", undone=["reserve"])
    assert story.calls[-2:] == ["undo reserve", "undo reserve"]


def test_branches_items_waits_approvals_and_timers() -> None:
    story = stepper(Journey, TRAVEL).when("flight", returns={"flight": "BS1"})
    story.when("room", returns=lambda call: f"room in {call.item}").runs()
    story.then(
        waits_for="luggage", context={"flight": "BS1", "rooms": {"Rome": "room in Rome", "Bari": "room in Bari"}}
    )
    story.hear("luggage", ParcelWeighed(parcel="ada", grams=900)).then(waits_for="manager", context={"grams": 900})
    story.approve("manager").then(waits_for="cool_off")
    story.advance(timedelta(minutes=10)).then(waits_for="rest", status="waiting")
    story.advance(timedelta(hours=1)).then(status="completed", undone=[])


def test_one_item_refused_undoes_all_branches_and_items() -> None:
    story = stepper(Journey, TRAVEL).when("room:Bari", refuses="full").runs().then(status="compensated", reason="full")
    assert set(story.undone) == {"flight", "car", "seat", "room:Rome"}
    assert story.done == []


def test_what_is_heard_may_refuse() -> None:
    story = stepper(Journey, TRAVEL).hear("luggage", ParcelWeighed(parcel="ada", grams=31_000))
    story.then(status="compensated", reason="too_heavy")


def test_a_rejection_and_a_missing_approval_turn_back() -> None:
    parcel = ParcelWeighed(parcel="ada", grams=1)
    story = stepper(Journey, TRAVEL).hear("luggage", parcel).reject("manager", note="too dear")
    story.then(status="compensated", reason="too dear")
    stepper(Journey, TRAVEL).hear("luggage", parcel).advance(timedelta(hours=8)).then(status="cancelled")


def test_a_wish_undoes_what_is_done() -> None:
    stepper(Journey, TRAVEL).runs().cancel().runs().then(status="cancelled", reason="requested", done=[])


def test_a_story_says_what_is_wrong() -> None:
    with pytest.raises(AssertionError, match=r"status is .*completed.*, not 'compensated'"):
        stepper(Checkout, "o1").runs().then(status="compensated")
    with pytest.raises(AssertionError, match="does not wait for 'manager'; it is at luggage"):
        stepper(Journey, TRAVEL).approve("manager")
    with pytest.raises(LookupError, match="no step 'reverse'; it has validate"):
        stepper(Checkout, "o1").when("reverse", refuses="typo")


@pytest.fixture
def participants(transactional_db: None) -> Participants:
    return open_shop(Shop(Participants())).participants


def test_the_real_worker_tells_the_same_story(participants: Participants) -> None:
    with on_stage(Checkout, "o1") as story:
        story.when("capture", refuses="declined").runs()
        story.then(status="compensated", reason="declined", undone=["reserve"])
        story.then(calls=["do validate", "do reserve", "do capture", "undo reserve"])
    assert order_history("o1") == ["compensated:declined"]
    assert (participants.applied("held"), participants.net("held")) == (1, 0)


@pytest.mark.parametrize("moment", ["before_intent", "after_intent", "after_call", "after_log"])
def test_a_worker_that_dies_is_succeeded(participants: Participants, moment: str) -> None:
    with on_stage(Checkout, "o1") as story:
        story.crash("validate", moment=moment).crash("capture", moment=moment).runs()
        story.then(status="completed", context={"order": "o1"})
        assert story.row.epoch > 1
    assert participants.applied("charged") == 1


def test_the_real_worker_waits_for_people_and_events(participants: Participants) -> None:
    with on_stage(Journey, TRAVEL) as story:
        story.when("seat", unanswered=2).runs().then(waits_for="luggage")
        story.hear("luggage", ParcelWeighed(parcel="ada", grams=900)).approve("manager", by="grace")
        story.then(waits_for="cool_off").advance(timedelta(minutes=10)).advance(timedelta(hours=1))
        story.then(status="completed", done=[*story.done])
        assert story.calls.count("do seat") == 3
    assert SagaExecution.objects.get().status == "completed"


def test_the_real_worker_is_told_to_cancel(participants: Participants) -> None:
    with on_stage(Journey, TRAVEL) as story:
        story.cancel().runs().then(status="cancelled", done=[])


def test_the_stage_is_a_fixture(saga_stage: SagaStage) -> None:
    open_shop(Shop(Participants()))
    saga_id = saga_stage.begin(Checkout, "o9")
    saga_stage.drive(calls=1)
    assert saga_stage.log(saga_id)[-1] == "do reserve 1 intent"
    assert saga_stage.settle(saga_id).status == "completed"
