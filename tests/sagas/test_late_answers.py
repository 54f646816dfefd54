"""An answer that comes when nobody waits for it any more changes nothing."""

from datetime import UTC, datetime

from bandstand.sagas import Saga, SagaStep, StepCall
from bandstand.sagas.engine import born, step
from bandstand.sagas.protocol import Answered, Begun, Event, Outcome, Resolved, State
from bandstand.sagas.steps import Direction

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def nothing(call: StepCall) -> None:
    return None


class Trip(Saga):
    steps = (SagaStep("reserve", do=nothing, undo=nothing), SagaStep("pay", do=nothing, undo=nothing))


def after(*events: Event) -> State:
    state = born(Trip(), NOW)
    for event in events:
        state, _ = step(Trip(), state, event, NOW)
    return state


def test_a_late_answer_to_a_call_is_none_to_its_undo():
    skipped = Resolved("reserve", Outcome.SKIPPED, "passed over while it is called")
    undoing = after(Begun(), skipped, Answered("pay", Direction.DO, Outcome.REFUSED))
    assert [position.unit for position in undoing.at] == ["reserve"]
    assert undoing.direction is Direction.UNDO
    assert step(Trip(), undoing, Answered("reserve", Direction.DO, Outcome.OK), NOW) == (undoing, ())


def test_a_late_answer_to_a_step_that_is_done_begins_nothing():
    ahead = after(Begun(), Answered("reserve", Direction.DO, Outcome.OK))
    assert step(Trip(), ahead, Answered("reserve", Direction.DO, Outcome.UNKNOWN), NOW) == (ahead, ())
