"""The pure engine: which command follows which answer."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from bandstand.sagas import Saga, SagaStatus, SagaStep, StepCall, StepKind, engine
from bandstand.sagas.engine.patience import PARK_AFTER, SLOW_CAP
from bandstand.sagas.protocol import (
    Answered,
    Begun,
    Call,
    CancelRequested,
    Due,
    End,
    EndingFailed,
    Event,
    Log,
    Outcome,
    Result,
    Resumed,
    State,
    Withdrawn,
)
from bandstand.sagas.steps import Direction

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """An answer to whatever call is under way."""

    outcome: Outcome
    reason: str = ""
    error: str = ""
    doubtful: bool = False

    def to(self, state: State) -> Answered:
        """The answer as the engine hears it."""
        return Answered(
            state.at[0].unit,
            state.direction,
            self.outcome,
            reason=self.reason,
            error=self.error,
            doubtful=self.doubtful,
        )


OK, REFUSED = Answer(Outcome.OK), Answer(Outcome.REFUSED, reason="no_stock")
UNKNOWN, FAILED = Answer(Outcome.UNKNOWN, error="timeout"), Answer(Outcome.FAILED, error="refused connection")


def nothing(call: StepCall) -> None:
    return None


class Checkout(Saga):
    name = "engine_checkout"
    deadline = timedelta(seconds=120)
    steps = [
        SagaStep("validate", do=nothing, no_undo="reads only"),
        SagaStep("reserve", do=nothing, undo=nothing),
        SagaStep("capture", kind=StepKind.PIVOT, do=nothing, undo=nothing),
        SagaStep("commit", kind=StepKind.RETRIABLE, do=nothing),
        SagaStep("confirm", kind=StepKind.RETRIABLE, local=True, do=nothing),
    ]


SAGA = Checkout()


class Run:
    """One saga taken through the engine; remembers the calls it was told to make."""

    def __init__(self) -> None:
        self.now = NOW
        self.calls: list[str] = []
        self._take(engine.step(SAGA, engine.born(SAGA, NOW), Begun(), NOW))

    def _take(self, result: Result) -> None:
        self.state, commands = result
        self.last = commands[-1] if commands else None
        self.calls += [f"{c.direction} {c.unit} {c.attempt}" for c in commands if isinstance(c, Call)]
        self.logged = [c for c in commands if isinstance(c, Log)]

    def tell(self, *events: Event | Answer, after: float = 0) -> "Run":
        self.now += timedelta(seconds=after)
        for event in events:
            heard = event.to(self.state) if isinstance(event, Answer) else event
            self._take(engine.step(SAGA, self.state, heard, self.now))
        return self

    def due(self) -> "Run":
        """Wait for the moment that the saga waits for."""
        assert self.state.next_at is not None
        self.now = self.state.next_at
        return self.tell(Due())


def at_capture() -> Run:
    return Run().tell(OK, OK)


def test_a_saga_whose_steps_all_succeed_completes() -> None:
    run = Run().tell(OK, OK, OK, OK, OK)
    assert run.calls == ["do validate 1", "do reserve 1", "do capture 1", "do commit 1", "do confirm 1"]
    assert run.last == End(SagaStatus.COMPLETED, "")


def test_the_intent_is_logged_before_every_call() -> None:
    run = Run().tell(OK)
    assert [line.outcome for line in run.logged] == [Outcome.OK, Outcome.INTENT]
    assert isinstance(run.last, Call)
    assert run.logged[-1].unit == run.last.unit == "reserve"


def test_a_clean_refusal_undoes_the_earlier_steps_only() -> None:
    run = at_capture().tell(replace(REFUSED, reason="payment_declined"), OK)
    assert run.calls[-1] == "undo reserve 1"
    assert run.last == End(SagaStatus.COMPENSATED, "payment_declined")


def test_a_refusal_behind_an_unknown_attempt_undoes_the_refused_step_too() -> None:
    """The refusal may speak of the repeat alone while the first request is still on its way."""
    run = at_capture().tell(UNKNOWN).due().tell(REFUSED, OK, OK)
    assert run.calls[-2:] == ["undo capture 1", "undo reserve 1"]
    assert run.last == End(SagaStatus.COMPENSATED, "no_stock")


def test_a_refusal_that_a_client_got_on_its_own_repetition_is_doubtful_too() -> None:
    run = at_capture().tell(replace(REFUSED, doubtful=True))
    assert run.calls[-1] == "undo capture 1"


def test_a_refusal_of_the_first_step_ends_at_once() -> None:
    assert Run().tell(REFUSED).last == End(SagaStatus.COMPENSATED, "no_stock")


@pytest.mark.parametrize("outcome", [UNKNOWN, FAILED])
def test_an_unclear_answer_is_repeated_with_growing_pauses_until_the_step_gives_up(outcome: Answer) -> None:
    run = at_capture()
    pauses = []
    while run.state.direction is Direction.DO:
        run.tell(outcome)
        if run.state.next_at is not None:
            pauses.append((run.state.next_at - run.now).total_seconds())
            run.due()
    assert pauses[:7] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5])
    assert run.now == NOW + timedelta(seconds=30)
    assert run.calls[-1] == ("undo capture 1" if outcome is UNKNOWN else "undo reserve 1")
    assert run.tell(*[OK] * (2 if outcome is UNKNOWN else 1)).last == End(SagaStatus.CANCELLED, "deadline")


def test_the_deadline_is_checked_before_the_next_step() -> None:
    run = Run().tell(OK).tell(OK, after=121)
    assert run.calls[-1] == "undo reserve 1"
    assert run.tell(OK).last == End(SagaStatus.CANCELLED, "deadline")


def test_behind_the_pivot_neither_deadline_nor_wish_turns_the_saga_back() -> None:
    run = at_capture().tell(CancelRequested()).tell(OK, after=500)
    assert run.calls[-1] == "do commit 1"
    run.tell(UNKNOWN, CancelRequested()).due().tell(REFUSED)
    assert run.state.status is SagaStatus.UNKNOWN
    assert run.due().tell(OK, OK).last == End(SagaStatus.COMPLETED, "")


def test_a_wish_to_cancel_waits_for_the_call_under_way() -> None:
    run = Run().tell(OK, CancelRequested())
    assert run.last is None
    run.tell(OK)
    assert run.calls[-1] == "undo reserve 1"
    assert run.tell(OK).last == End(SagaStatus.CANCELLED, "requested")


def test_a_wish_to_cancel_acts_at_once_between_attempts_and_undoes_the_doubtful_step() -> None:
    run = at_capture().tell(UNKNOWN, CancelRequested())
    assert run.calls[-1] == "undo capture 1"


def test_an_undo_is_repeated_without_limit_and_parked_visibly() -> None:
    run = at_capture().tell(REFUSED)
    for _ in range(PARK_AFTER):
        run.tell(UNKNOWN)
        assert run.state.next_at is not None
        assert run.state.next_at - run.now <= SLOW_CAP
        run.due()
    assert run.state.status is SagaStatus.COMPENSATION_FAILED
    assert run.calls[-1] == f"undo reserve {PARK_AFTER + 1}"
    assert run.tell(OK).last == End(SagaStatus.COMPENSATED, "no_stock")


def test_a_refused_undo_is_no_undo() -> None:
    assert at_capture().tell(REFUSED, REFUSED).state.status is SagaStatus.COMPENSATING


def test_a_new_owner_repeats_the_call_that_was_under_way() -> None:
    run = at_capture().tell(Resumed())
    assert run.calls[-1] == "do capture 2"
    assert run.tell(REFUSED).calls[-1] == "undo capture 1"


def test_a_new_owner_keeps_to_the_pause() -> None:
    run = at_capture().tell(UNKNOWN)
    before = run.state
    assert run.tell(Resumed()).state == before
    assert run.last is None


def test_a_saga_born_without_an_owner_has_nothing_to_undo() -> None:
    born = State(status=SagaStatus.RUNNING, cancel_requested=True)
    _, commands = engine.step(SAGA, born, Begun(), NOW)
    assert commands[-1] == End(SagaStatus.CANCELLED, "requested")


def test_a_step_this_release_does_not_know_parks_the_saga_and_says_so() -> None:
    run = Run()
    weigh = msgspec.structs.replace(run.state.at[0], unit="weigh")
    run.state = msgspec.structs.replace(run.state, at=(weigh,))
    run.tell(Resumed())
    assert run.state.status is SagaStatus.PARKED
    assert "weigh" in run.state.error
    run.state = msgspec.structs.replace(run.state, direction=Direction.UNDO, done=("weigh",))
    assert run.due().state.status is SagaStatus.PARKED


def test_a_refused_renewal_turns_the_saga_back_with_its_reason() -> None:
    run = at_capture().tell(Withdrawn("expired"), UNKNOWN, OK, OK)
    assert run.last == End(SagaStatus.COMPENSATED, "expired")


def test_a_refused_renewal_behind_the_pivot_changes_nothing() -> None:
    run = at_capture().tell(OK, UNKNOWN, Withdrawn("expired"))
    assert run.last is None
    assert not run.state.cancel_requested


@pytest.mark.parametrize(("answers", "end"), [([OK] * 5, SagaStatus.COMPLETED), ([REFUSED], SagaStatus.COMPENSATED)])
def test_an_end_whose_follow_up_fails_is_tried_again(answers: list[Answer], end: SagaStatus) -> None:
    run = Run().tell(*answers, EndingFailed("locked"))
    assert not run.state.status.is_final
    calls = list(run.calls)
    assert run.due().state.status is end
    assert run.calls == calls


def test_a_step_inserted_by_a_deploy_before_the_one_at_hand_is_passed_over() -> None:
    class Longer(Checkout):
        steps = [SagaStep("weigh", do=nothing, undo=nothing), *Checkout.steps]

    run = at_capture()
    state, commands = engine.step(Longer(), run.state, REFUSED.to(run.state), NOW)
    assert isinstance(commands[-1], Call)
    assert commands[-1].unit == "reserve"
    state, commands = engine.step(Longer(), state, OK.to(state), NOW)
    assert commands[-1] == End(SagaStatus.COMPENSATED, "no_stock")
