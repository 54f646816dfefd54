"""The fake participant: what callers may order of it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bandstand import clock
from bandstand.errors import (
    BusinessRuleViolated,
    ServiceConnectionError,
    ServiceError,
    ServiceHTTPError,
    ServiceTimeoutError,
)
from bandstand.sagas.participant import KeyState
from bandstand.testing.clock import HeldClock
from bandstand.testing.participants import FakeParticipant, Fault


@pytest.fixture
def bank() -> Iterator[FakeParticipant]:
    with FakeParticipant("bank", answer=lambda key, amount: {"charge": key, "amount": amount}) as fake:
        yield fake


def test_it_answers_as_it_was_told(bank: FakeParticipant, key: str) -> None:
    assert bank.create(key, 5) == bank.create(key, 5) == {"charge": key, "amount": 5}


@pytest.mark.parametrize(
    ("fault", "error", "standing"),
    [
        (Fault.REFUSE, BusinessRuleViolated, 0),
        (Fault.UNSENT, ServiceConnectionError, 0),
        (Fault.LOST_REQUEST, ServiceTimeoutError, 0),
        (Fault.LATE, ServiceTimeoutError, 0),
        (Fault.LOST_REPLY, ServiceTimeoutError, 1),
        (Fault.ERROR, ServiceHTTPError, 1),
    ],
)
def test_a_fault_is_met_once(
    bank: FakeParticipant, key: str, fault: Fault, error: type[ServiceError], standing: int
) -> None:
    bank.order("create", fault)
    with pytest.raises(error):
        bank.create(key)
    assert bank.effects(key) == standing
    bank.create(key)
    assert bank.effects(key) == 1


def test_only_an_unsent_request_says_so(bank: FakeParticipant, key: str) -> None:
    bank.order("cancel", Fault.UNSENT, Fault.LOST_REQUEST)
    sent = []
    for _ in range(2):
        with pytest.raises((ServiceConnectionError, ServiceTimeoutError)) as met:
            bank.cancel(key)
        sent.append(met.value.sent)
    assert sent == [False, True]


def test_a_late_request_arrives_when_it_is_let(bank: FakeParticipant, key: str) -> None:
    bank.order("create", Fault.LATE)
    with pytest.raises(ServiceTimeoutError):
        bank.create(key)
    bank.deliver_late()
    assert bank.effects(key) == 1


def test_a_late_request_after_the_cancel_is_refused(bank: FakeParticipant, key: str) -> None:
    bank.order("create", Fault.LATE)
    with pytest.raises(ServiceTimeoutError):
        bank.create(key)
    bank.cancel(key)
    bank.deliver_late()
    assert (bank.effects(key), bank.query(key)) == (0, KeyState.CANCELLED)


def test_a_slow_answer_takes_its_time_on_the_clock(time: HeldClock, bank: FakeParticipant, key: str) -> None:
    bank.slow_for = timedelta(seconds=7)
    bank.order("create", Fault.SLOW)
    before = clock.now()
    bank.create(key)
    assert clock.now() - before == timedelta(seconds=7)


def test_the_last_fault_may_stay(bank: FakeParticipant, key: str) -> None:
    bank.order("query", Fault.UNSENT, Fault.LOST_REPLY, always=True)
    with pytest.raises(ServiceConnectionError):
        bank.query(key)
    for _ in range(3):
        with pytest.raises(ServiceTimeoutError):
            bank.query(key)
    bank.order("query")
    assert bank.query(key) is KeyState.ABSENT


def test_an_unknown_fault_is_refused_at_once(bank: FakeParticipant) -> None:
    with pytest.raises(ValueError, match="los_reply"):
        bank.order("create", "los_reply")


def test_it_counts_by_the_beginning_of_keys(bank: FakeParticipant) -> None:
    for key in ("saga-1:pay", "saga-1:tip", "saga-2:pay"):
        bank.create(key)
    bank.cancel("saga-1:tip")
    assert (bank.standing("saga-1"), bank.standing(), bank.applied("saga-1"), bank.applied()) == (1, 2, 2, 3)
    assert bank.calls[-1] == ("cancel", "saga-1:tip")


def test_books_in_a_file_outlive_it_and_are_kept_apart_by_name(tmp_path: Path, key: str) -> None:
    with FakeParticipant("bank", path=tmp_path / "books.sqlite3") as before:
        before.create(key)
    with FakeParticipant("bank", path=tmp_path / "books.sqlite3") as bank:
        assert bank.effects(key) == 1
    with FakeParticipant("store", path=tmp_path / "books.sqlite3") as store:
        assert store.query(key) is KeyState.ABSENT
