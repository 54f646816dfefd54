"""A participant without tombstones: its step is undone once nothing can arrive any more; nobody can hurry that."""

from datetime import UTC, datetime, timedelta

import pytest

from bandstand.sagas import Saga, SagaStatus, SagaStep, StepCall, StepKind
from bandstand.sagas.engine import born, step
from bandstand.sagas.protocol import Answered, Begun, Call, Due, Event, Hurried, Outcome, Resumed, State
from bandstand.sagas.steps import Direction, Found

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOLD = timedelta(hours=1)
TIMEOUT = timedelta(seconds=30)


def nothing(call: StepCall) -> None:
    return None


def absent(call: StepCall) -> Found:
    return Found.ABSENT


class Foreign(Saga):
    steps = (SagaStep("pay", kind=StepKind.PIVOT, do=nothing, undo=nothing, query=absent, settle_after=HOLD),)


class Forgetful(Saga):
    steps = (SagaStep("commit", kind=StepKind.RETRIABLE, do=nothing, horizon=timedelta(hours=12)),)


class Run:
    """One saga taken through the engine; `called` says whether the last event led to a call."""

    def __init__(self, saga: Saga) -> None:
        self.saga = saga
        self.now = NOW
        self.state: State = born(saga, NOW)
        self.tell(Begun())

    def tell(self, event: Event, *, after: timedelta = timedelta(0)) -> "Run":
        self.now += after
        self.state, commands = step(self.saga, self.state, event, self.now)
        self.called = any(isinstance(one, Call) for one in commands)
        return self


@pytest.fixture
def given_up() -> Run:
    """A payment of unknown outcome, out of time."""
    return Run(Foreign()).tell(Answered("pay", Direction.DO, Outcome.UNKNOWN), after=TIMEOUT)


NOT_FOUND = Answered("pay", Direction.UNDO, Outcome.ABSENT)


def test_the_first_query_waits_until_nothing_can_arrive(given_up):
    assert not given_up.called
    assert not given_up.tell(Due(), after=HOLD - timedelta(seconds=1)).called
    assert given_up.tell(Due(), after=timedelta(seconds=1)).called


def test_the_first_query_cannot_be_hurried(given_up):
    assert not given_up.tell(Hurried()).called


def test_the_second_query_cannot_be_hurried(given_up):
    given_up.tell(Due(), after=HOLD).tell(NOT_FOUND)
    assert not given_up.tell(Hurried()).called
    assert given_up.tell(Due(), after=HOLD).called
    assert given_up.tell(NOT_FOUND).state.status is SagaStatus.CANCELLED


def test_a_query_that_failed_can_be_hurried(given_up):
    given_up.tell(Due(), after=HOLD).tell(Answered("pay", Direction.UNDO, Outcome.UNKNOWN))
    assert given_up.tell(Hurried()).called


def test_a_step_whose_key_may_be_forgotten_waits_for_a_person_after_a_crash_too():
    run = Run(Forgetful()).tell(Resumed(), after=timedelta(hours=13))
    assert not run.called
    assert not run.tell(Due(), after=timedelta(minutes=1)).called
    assert run.state.status is SagaStatus.UNKNOWN
    assert "forgotten" in run.state.error
