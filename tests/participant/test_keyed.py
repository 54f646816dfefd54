"""Create, cancel and query by key: what the suite cannot ask of every participant."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.test import override_settings
from prometheus_client import REGISTRY

from bandstand.errors import ValidationFailed
from bandstand.lifecycle import registered_loops
from bandstand.sagas.participant import DifferentRequest, EffectCancelled, KeyState, Known, cancel, create, purge, query
from bandstand.sagas.participant.checks import check_retention
from bandstand.sagas.participant.models import KeyedEffect
from bandstand.testing.clock import HeldClock
from tests.participant.bookings import book, cancel_booking, give_back, seats, take
from tests.project.models import Booking

pytestmark = pytest.mark.django_db


class OutOfSeats(Exception):
    pass


def fail(*_: Any) -> Any:
    raise OutOfSeats


def test_what_do_raises_leaves_neither_key_nor_effect(key: str) -> None:
    def take_and_fail() -> None:
        take(key, 1)
        fail()

    with pytest.raises(OutOfSeats):
        create("booking", key, request={"seats": 1}, do=take_and_fail)
    assert (query("booking", key).state, seats(key)) == (KeyState.ABSENT, 0)
    assert book(key).is_repeat is False


def test_what_undo_raises_leaves_the_effect_as_it_was(key: str) -> None:
    answer = book(key).answer

    def give_back_and_fail(answer: Any) -> None:
        give_back(key, answer)
        fail()

    with pytest.raises(OutOfSeats):
        cancel("booking", key, undo=give_back_and_fail)
    assert (query("booking", key), seats(key)) == (Known(state=KeyState.APPLIED, answer=answer), 1)


def test_a_rollback_around_it_forgets_key_and_effect(key: str) -> None:
    def book_and_fail() -> None:
        book(key)
        fail()

    with pytest.raises(OutOfSeats), transaction.atomic():
        book_and_fail()
    assert (query("booking", key).state, seats(key)) == (KeyState.ABSENT, 0)


def test_the_first_answer_is_already_what_a_repeat_will_get(key: str) -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    rich = {"id": UUID(int=7), "price": Decimal("1.10"), "at": at, "text": "a\x00b", "z": 1, "a": [None, True]}
    answers = [create("rich", key, request=None, do=lambda: rich).answer for _ in range(2)]
    plain = {
        "id": "00000000-0000-0000-0000-000000000007",
        "price": "1.10",
        "at": "2026-01-01T12:00:00Z",
        "text": "a\x00b",
        "z": 1,
        "a": [None, True],
    }
    assert answers == [plain, plain]
    assert [list(answer) for answer in answers] == [list(rich)] * 2


def test_an_answer_that_is_no_json_is_refused_with_its_effect(key: str) -> None:
    with pytest.raises(TypeError):
        create("booking", key, request=None, do=lambda: Booking.objects.create(key=key, seats=1))
    assert seats(key) == 0


def test_the_order_of_fields_makes_no_other_request(key: str) -> None:
    create("booking", key, request={"a": 1, "b": {"c": 2, "d": 3}}, do=lambda: 1)
    assert create("booking", key, request={"b": {"d": 3, "c": 2}, "a": 1}, do=fail).is_repeat


def test_refusals_have_their_codes(key: str) -> None:
    book(key)
    with pytest.raises(DifferentRequest) as different:
        book(key, 2)
    cancel_booking(key)
    with pytest.raises(EffectCancelled) as cancelled:
        book(key)
    told = [(error.value.status, error.value.details) for error in (different, cancelled)]
    assert told == [
        (422, {"key": key, "business_rule": "different_request"}),
        (409, {"key": key, "conflict": "cancelled"}),
    ]


def test_a_cancel_tells_what_it_found(key: str) -> None:
    answer = book(key).answer
    assert [cancel_booking(key) for _ in range(2)] == [
        Known(state=KeyState.APPLIED, answer=answer),
        Known(state=KeyState.CANCELLED, answer=answer),
    ]
    assert [cancel_booking(f"{key}-2").state for _ in range(2)] == [KeyState.ABSENT, KeyState.CANCELLED]


def test_kinds_have_keys_of_their_own(key: str) -> None:
    book(key)
    assert cancel("meal", key, undo=fail).state is KeyState.ABSENT
    assert query("booking", key).state is KeyState.APPLIED


@pytest.mark.parametrize("wrong", ["", "short", "a" * 256, "with a space", "with/slash", "with\x00nul", "umläutig"])
def test_what_is_no_key_is_refused(wrong: str) -> None:
    for call in (lambda: book(wrong), lambda: cancel_booking(wrong), lambda: query("booking", wrong)):
        with pytest.raises(ValidationFailed):
            call()
    assert not KeyedEffect.objects.exists()


def test_the_key_of_an_item_is_a_key() -> None:
    assert book("019b76da-a800-7000-8000-000000000001:reserve[SKU-1]").is_repeat is False


def test_keys_are_forgotten_a_retention_after_their_last_change(time: HeldClock) -> None:
    book("applied-1")
    book("undone-01")
    time.advance(timedelta(days=29))
    cancel_booking("undone-01")
    cancel_booking("tombstone")
    time.advance(timedelta(days=1, seconds=1))
    assert (purge(), purge()) == (1, 0)
    assert [query("booking", key).state for key in ("applied-1", "undone-01", "tombstone")] == [
        KeyState.ABSENT,
        KeyState.CANCELLED,
        KeyState.CANCELLED,
    ]
    time.advance(timedelta(days=29))
    assert (purge(limit=1), purge(limit=1), purge(limit=1)) == (1, 1, 0)


def test_no_retention_forgets_a_key_that_may_still_be_repeated(time: HeldClock, settings: Any) -> None:
    with override_settings(BANDSTAND={**settings.BANDSTAND, "PARTICIPANT": {"RETENTION": timedelta(hours=1)}}):
        cancel_booking("tombstone")
        time.advance(timedelta(hours=12))
        assert purge() == 0
        [problem] = check_retention()
        assert problem.id == "bandstand.E391"
        time.advance(timedelta(seconds=1))
        assert purge() == 1
    assert check_retention() == []


def test_the_worker_purges() -> None:
    assert registered_loops()["participant"]().name == "participant"


def test_what_was_found_is_counted(key: str) -> None:
    def counts() -> dict[str, float]:
        outcomes = ("applied", "repeated", "different", "refused", "undone", "buried", "cancelled_before")
        sample = REGISTRY.get_sample_value
        return {
            each: sample("participant_requests_total", {"kind": "counted", "outcome": each}) or 0 for each in outcomes
        }

    def ask(request: int) -> None:
        create("counted", key, request=request, do=lambda: None)

    ask(1)
    ask(1)
    with pytest.raises(DifferentRequest):
        ask(2)
    for _ in range(2):
        cancel("counted", key, undo=lambda _: None)
    with pytest.raises(EffectCancelled):
        ask(1)
    cancel("counted", f"{key}-2", undo=fail)
    assert counts() == dict.fromkeys(counts(), 1)
