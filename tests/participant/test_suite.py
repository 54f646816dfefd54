"""The one suite, run against everything here that calls itself a participant, and against some that should not."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler

from bandstand.errors import BusinessRuleViolated, Conflict
from bandstand.sagas.participant import KeyState
from bandstand.testing.participants import (
    FakeParticipant,
    Fault,
    HttpParticipant,
    LocalParticipant,
    Participant,
    ParticipantSuite,
)
from bandstand.testing.tokens import service_headers
from tests.participant.bookings import PATH, Bookings, seats
from tests.participant.serving import serving


@pytest.mark.django_db(transaction=True)
class TestTheHelper(ParticipantSuite):
    @pytest.fixture
    def participant(self) -> Participant:
        return Bookings()


def over(kind: type[Any], url: str) -> Participant:
    headers = service_headers("orders")
    found: Participant = kind(url=url, headers=headers, body=lambda number: {"seats": number}, count=seats)
    return found


@pytest.mark.urls("tests.participant.bookings")
@pytest.mark.django_db(transaction=True)
class TestTheRoutes(ParticipantSuite):
    @pytest.fixture
    def participant(self) -> Participant:
        return over(LocalParticipant, PATH)


@pytest.mark.urls("tests.participant.bookings")
@pytest.mark.django_db(transaction=True)
class TestTheRoutesOverHttp(ParticipantSuite):
    @pytest.fixture
    def participant(self) -> Iterator[Participant]:
        with serving(WSGIHandler()) as url:
            yield over(HttpParticipant, url + PATH)


class TestTheFake(ParticipantSuite):
    @pytest.fixture
    def participant(self) -> Iterator[Participant]:
        with FakeParticipant("bank") as fake:
            yield fake


class TestTheFakeInBadWeather(ParticipantSuite):
    @pytest.fixture
    def participant(self, time: Any) -> Iterator[Participant]:
        with FakeParticipant("bank") as fake:
            for call in ("create", "cancel"):
                fake.order(call, Fault.UNSENT, Fault.LOST_REQUEST, Fault.LOST_REPLY, Fault.ERROR, Fault.SLOW)
            yield fake


class NoDigest(FakeParticipant):
    """Answers another request as if it were the first."""

    def create(self, key: str, request: Any = None) -> Any:
        return super().create(key)


class UndoesAgain(FakeParticipant):
    """Gives back at each cancel."""

    def cancel(self, key: str) -> Any:
        found = super().cancel(key)
        self.given_back = getattr(self, "given_back", 0) + (found.state is KeyState.CANCELLED)
        return found

    def effects(self, key: str) -> int:
        return super().effects(key) - getattr(self, "given_back", 0)


class ForgetsTheUndo(FakeParticipant):
    """Says that it was cancelled, and leaves the effect."""

    def effects(self, key: str) -> int:
        return self.applied(key)


class AnswersAnew(FakeParticipant):
    """A repeat applies nothing and is answered otherwise."""

    def create(self, key: str, request: Any = None) -> Any:
        return [super().create(key, request), len(self.calls)]


class RemembersQueries(FakeParticipant):
    """To ask for a key is to spend it."""

    def query(self, key: str) -> KeyState:
        found = super().query(key)
        if found is KeyState.ABSENT:
            self.cancel(key)
        return found


class RefusesASecondCancel(FakeParticipant):
    """Answers the truth, but not what the caller has to know."""

    def cancel(self, key: str) -> Any:
        if self.query(key) is KeyState.CANCELLED:
            self.order("cancel", Fault.REFUSE)
        return super().cancel(key)


CARELESS: list[tuple[Callable[[], FakeParticipant], str]] = [
    (lambda: FakeParticipant("bank", is_keyed=False), "test_a_repeat_gets_the_answer_of_the_first"),
    (lambda: FakeParticipant("bank", is_keyed=False), "test_creates_at_once_apply_once"),
    (lambda: FakeParticipant("bank", is_keyed=False), "test_a_create_whose_reply_is_lost_is_repeated"),
    (lambda: FakeParticipant("bank", has_tombstones=False), "test_a_cancel_before_its_create_buries_it"),
    (lambda: FakeParticipant("bank", has_tombstones=False), "test_a_create_and_a_cancel_at_once_leave_nothing"),
    (lambda: FakeParticipant("bank", has_tombstones=False), "test_a_create_whose_reply_is_lost_is_cancelled"),
    (lambda: NoDigest("bank"), "test_another_request_under_a_key_is_refused"),
    (lambda: UndoesAgain("bank"), "test_a_second_cancel_changes_nothing"),
    (lambda: UndoesAgain("bank"), "test_a_second_cancel_of_what_never_came_changes_nothing"),
    (lambda: UndoesAgain("bank"), "test_cancels_at_once_undo_once"),
    (lambda: ForgetsTheUndo("bank"), "test_a_cancel_undoes_what_was_applied"),
    (lambda: ForgetsTheUndo("bank"), "test_keys_know_nothing_of_each_other"),
    (lambda: AnswersAnew("bank"), "test_a_repeat_gets_the_answer_of_the_first"),
    (lambda: RemembersQueries("bank"), "test_a_key_that_nobody_used_is_absent_and_stays_free"),
    (lambda: RefusesASecondCancel("bank"), "test_a_second_cancel_changes_nothing"),
]


@pytest.mark.parametrize(
    ("make", "test"), CARELESS, ids=[f"{make().__class__.__name__} {test}" for make, test in CARELESS]
)
def test_the_suite_finds_a_careless_participant(make: Callable[[], FakeParticipant], test: str, key: str) -> None:
    run = getattr(ParticipantSuite(), test)
    keyed = {"key": key} if "key" in run.__code__.co_varnames[: run.__code__.co_argcount] else {}
    with make() as careless, pytest.raises((AssertionError, pytest.fail.Exception, BusinessRuleViolated, Conflict)):
        run(careless, **keyed)


def test_every_test_of_the_suite_is_known_to_fail_for_someone() -> None:
    tests = {name for name in vars(ParticipantSuite) if name.startswith("test_")}
    assert {test for _, test in CARELESS} == tests
