"""What every participant of a saga owes its callers, as tests: derive a class and override the fixture `participant`.

Threads take part, so a class whose participant is in process needs `@pytest.mark.django_db(transaction=True)`.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connections

from bandstand import clock
from bandstand.errors import BusinessRuleViolated, Conflict, ServiceError
from bandstand.sagas.participant.protocol import KeyState
from bandstand.testing.participants.adapters import Participant

__all__ = ["ParticipantSuite"]

_PATIENCE = timedelta(seconds=15)
_PAUSE_SECONDS = 0.05
_ROUNDS = 8
_AT_ONCE = 4
_REFUSED = (Conflict, BusinessRuleViolated)


class ParticipantSuite:
    """The contract, test by test; each uses keys of its own."""

    @pytest.fixture
    def participant(self) -> Participant:
        """The participant under test. Its creates with requests 1 and 2 would both be granted."""
        raise NotImplementedError("override the fixture `participant`")

    @pytest.fixture
    def key(self) -> str:
        """A key that nobody has used, as a saga makes them."""
        return _fresh_key()

    def test_a_key_that_nobody_used_is_absent_and_stays_free(self, participant: Participant, key: str) -> None:
        """A query leaves no trace."""
        assert participant.query(key) is KeyState.ABSENT
        _settled(partial(participant.create, key, 1))
        _expect(participant, key, KeyState.APPLIED, effects=1)

    def test_a_repeat_gets_the_answer_of_the_first(self, participant: Participant, key: str) -> None:
        """And applies nothing more."""
        first = _settled(partial(participant.create, key, 1))
        assert _settled(partial(participant.create, key, 1)) == first, "a repeat was answered otherwise than the first"
        _expect(participant, key, KeyState.APPLIED, effects=1)

    def test_another_request_under_a_key_is_refused(self, participant: Participant, key: str) -> None:
        """What stands remains, and its repeat is still answered."""
        first = _settled(partial(participant.create, key, 1))
        _refused(partial(participant.create, key, 2))
        _expect(participant, key, KeyState.APPLIED, effects=1)
        assert _settled(partial(participant.create, key, 1)) == first

    def test_a_cancel_undoes_what_was_applied(self, participant: Participant, key: str) -> None:
        """And the key is spent."""
        _settled(partial(participant.create, key, 1))
        _settled(partial(participant.cancel, key))
        _expect(participant, key, KeyState.CANCELLED, effects=0)
        _refused(partial(participant.create, key, 1))
        _expect(participant, key, KeyState.CANCELLED, effects=0)

    def test_a_cancel_before_its_create_buries_it(self, participant: Participant, key: str) -> None:
        """However often the late create comes."""
        _settled(partial(participant.cancel, key))
        for request in (1, 1, 2):
            _refused(partial(participant.create, key, request))
        _expect(participant, key, KeyState.CANCELLED, effects=0)

    def test_a_second_cancel_changes_nothing(self, participant: Participant, key: str) -> None:
        """It is confirmed like the first."""
        _settled(partial(participant.create, key, 1))
        for _ in range(3):
            _settled(partial(participant.cancel, key))
            _expect(participant, key, KeyState.CANCELLED, effects=0)

    def test_a_second_cancel_of_what_never_came_changes_nothing(self, participant: Participant, key: str) -> None:
        """A tombstone is no effect to be undone."""
        for _ in range(3):
            _settled(partial(participant.cancel, key))
            _expect(participant, key, KeyState.CANCELLED, effects=0)

    def test_keys_know_nothing_of_each_other(self, participant: Participant, key: str) -> None:
        """The same request under two keys is two effects, and one cancel undoes one."""
        other = _fresh_key()
        for each in (key, other):
            _settled(partial(participant.create, each, 1))
        _settled(partial(participant.cancel, key))
        _expect(participant, key, KeyState.CANCELLED, effects=0)
        _expect(participant, other, KeyState.APPLIED, effects=1)

    def test_creates_at_once_apply_once(self, participant: Participant) -> None:
        """All are answered alike."""
        for key in _fresh_keys():
            answers = _at_once([partial(participant.create, key, 1)] * _AT_ONCE)
            assert all(answer == answers[0] for answer in answers), f"one request, several answers: {answers}"
            _expect(participant, key, KeyState.APPLIED, effects=1)

    def test_a_create_and_a_cancel_at_once_leave_nothing(self, participant: Participant) -> None:
        """Whichever comes first: the create is applied and undone, or refused."""
        for key in _fresh_keys():
            _at_once([partial(_attempt, participant, key), partial(participant.cancel, key)])
            _expect(participant, key, KeyState.CANCELLED, effects=0)
            _refused(partial(participant.create, key, 1))

    def test_cancels_at_once_undo_once(self, participant: Participant) -> None:
        """All are confirmed."""
        for key in _fresh_keys():
            _settled(partial(participant.create, key, 1))
            _at_once([partial(participant.cancel, key)] * _AT_ONCE)
            _expect(participant, key, KeyState.CANCELLED, effects=0)

    def test_a_create_whose_reply_is_lost_is_repeated(self, participant: Participant) -> None:
        """The first copy may still be under way when the second comes."""
        for key in _fresh_keys():
            participant.abandon(key, 1)
            answer = _settled(partial(participant.create, key, 1))
            assert _settled(partial(participant.create, key, 1)) == answer
            _expect(participant, key, KeyState.APPLIED, effects=1)

    def test_a_create_whose_reply_is_lost_is_cancelled(self, participant: Participant) -> None:
        """Also when the cancel overtakes it."""
        for key in _fresh_keys():
            participant.abandon(key, 1)
            _settled(partial(participant.cancel, key))
            _refused(partial(participant.create, key, 1))
            _expect(participant, key, KeyState.CANCELLED, effects=0)


def _fresh_key() -> str:
    return f"{clock.uuid7()}:step"


def _fresh_keys() -> list[str]:
    return [_fresh_key() for _ in range(_ROUNDS)]


def _expect(participant: Participant, key: str, state: KeyState, *, effects: int) -> None:
    found, standing = participant.query(key), participant.effects(key)
    assert found is state, f"the key is {found}, not {state}"
    assert standing == effects, f"{standing} effects stand, not {effects}"


def _settled(call: Callable[[], Any]) -> Any:
    """Ask until the answer is definite, as a saga does; a refusal is raised."""
    deadline = clock.monotonic() + _PATIENCE.total_seconds()
    while True:
        try:
            return call()
        except ServiceError as error:
            if not error.retryable or clock.monotonic() > deadline:
                raise
        clock.sleep(_PAUSE_SECONDS)


def _refused(call: Callable[[], Any]) -> None:
    with pytest.raises(_REFUSED):
        _settled(call)


def _attempt(participant: Participant, key: str) -> None:
    try:
        _settled(partial(participant.create, key, 1))
    except _REFUSED:
        return


def _at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Make the calls in a thread each, all let go together; returns the answers or raises the first error."""
    gate = threading.Barrier(len(calls))

    def make(call: Callable[[], Any]) -> Any:
        gate.wait(_PATIENCE.total_seconds())
        try:
            return _settled(call)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))
