"""The life of a reservation: every state, met by every call."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from bandstand.testing.clock import HeldClock
from bandstand.testing.facts import Facts
from inventory.commands import (
    Reserved,
    adjust_stock,
    commit_reservation,
    expire_due_reservations,
    release_reservation,
    reserve_stock,
)
from inventory.errors import (
    InsufficientStock,
    ReservationCancelled,
    ReservationCommitted,
    ReservationDiffers,
    ReservationExpired,
    ReservationNotFound,
)
from inventory.models import Line, Reservation, ReservationLine

pytestmark = pytest.mark.django_db
NewStock = Callable[[int], UUID]
Numbers = Callable[[UUID], tuple[int, int, int]]

KEY = "a-saga:reserve_stock"
ORDER = UUID("019b76da-a800-7000-8000-00000000abcd")
TTL = timedelta(seconds=60)


@pytest.fixture
def product(new_stock: NewStock) -> UUID:
    """A product with 10 units."""
    return new_stock(10)


def reserve(product: UUID, *, quantity: int = 4, order_id: UUID = ORDER, ttl: timedelta = TTL) -> Reserved:
    return reserve_stock(key=KEY, order_id=order_id, lines=[Line(product_id=product, quantity=quantity)], ttl=ttl)


def held(product: UUID, time: HeldClock) -> None:
    reserve(product)


def committed(product: UUID, time: HeldClock) -> None:
    reserve(product)
    commit_reservation(key=KEY)


def released(product: UUID, time: HeldClock) -> None:
    reserve(product)
    release_reservation(key=KEY)


def expired(product: UUID, time: HeldClock) -> None:
    reserve(product)
    time.advance(TTL)
    assert expire_due_reservations() == 1


def expired_and_released(product: UUID, time: HeldClock) -> None:
    expired(product, time)
    release_reservation(key=KEY)


def overdue(product: UUID, time: HeldClock) -> None:
    """Past its expiry, but nobody has looked yet."""
    reserve(product)
    time.advance(TTL)


def tombstoned(product: UUID, time: HeldClock) -> None:
    release_reservation(key=KEY)


def absent(product: UUID, time: HeldClock) -> None:
    pass


def put(product: UUID) -> object:
    return reserve(product).state


def commit(product: UUID) -> object:
    commit_reservation(key=KEY)
    return "committed"


def release(product: UUID) -> object:
    return release_reservation(key=KEY)


FREE, HELD, SOLD = (10, 0, 0), (6, 4, 0), (6, 0, 4)
Row = tuple[Callable[[UUID, HeldClock], None], Callable[[UUID], object], Any, tuple[int, int, int]]
MATRIX: list[Row] = [
    (absent, put, "held", HELD),
    (absent, commit, ReservationNotFound, FREE),
    (absent, release, "tombstoned", FREE),
    (held, put, "held", HELD),
    (held, commit, "committed", SOLD),
    (held, release, "released", FREE),
    (overdue, put, ReservationCancelled, FREE),
    (overdue, commit, "committed", SOLD),
    (overdue, release, "released", FREE),
    (committed, put, "committed", SOLD),
    (committed, commit, "committed", SOLD),
    (committed, release, ReservationCommitted, SOLD),
    (released, put, ReservationCancelled, FREE),
    (released, commit, ReservationCancelled, FREE),
    (released, release, "released", FREE),
    (expired, put, ReservationCancelled, FREE),
    (expired, commit, "committed", SOLD),
    (expired, release, "released", FREE),
    (expired_and_released, put, ReservationCancelled, FREE),
    (expired_and_released, commit, ReservationCancelled, FREE),
    (expired_and_released, release, "released", FREE),
    (tombstoned, put, ReservationCancelled, FREE),
    (tombstoned, commit, ReservationCancelled, FREE),
    (tombstoned, release, "tombstoned", FREE),
]


@pytest.mark.parametrize("row", MATRIX, ids=[f"{call.__name__} when {state.__name__}" for state, call, _, _ in MATRIX])
def test_every_call_has_one_answer_in_every_state_and_gives_it_again(
    product: UUID, time: HeldClock, numbers: Numbers, agree: Callable[[], None], row: Row
) -> None:
    reach, call, answer, left = row
    reach(product, time)
    for _ in range(2):
        if isinstance(answer, str):
            assert call(product) == answer
        else:
            with pytest.raises(answer):
                call(product)
        assert numbers(product) == left
    agree()


def test_a_reservation_holds_all_lines_or_none(new_stock: NewStock, numbers: Numbers, facts: Facts) -> None:
    plenty, scarce = new_stock(10), new_stock(1)
    facts()
    lines = [Line(product_id=plenty, quantity=2), Line(product_id=scarce, quantity=2)]
    with pytest.raises(InsufficientStock) as refusal:
        reserve_stock(key=KEY, order_id=ORDER, lines=lines, ttl=TTL)
    assert refusal.value.details["product_id"] == str(scarce)
    assert (numbers(plenty), numbers(scarce)) == ((10, 0, 0), (1, 0, 0))
    assert not Reservation.objects.exists()
    assert not ReservationLine.objects.exists()
    assert facts() == []


def test_a_refused_key_may_be_tried_again_once_there_is_stock(product: UUID) -> None:
    with pytest.raises(InsufficientStock):
        reserve(product, quantity=11)
    adjust_stock(product_id=product, delta=1, reason="delivery")
    assert reserve(product, quantity=11).created


def test_of_a_product_without_stock_row_nothing_is_available() -> None:
    with pytest.raises(InsufficientStock) as refusal:
        reserve(uuid4())
    assert refusal.value.details["available"] == 0


def test_a_repeat_renews_the_expiry(product: UUID, time: HeldClock) -> None:
    first = reserve(product)
    time.advance(30)
    second = reserve(product)
    assert (first.created, second.created) == (True, False)
    assert second.expires_at == time.now() + TTL
    time.advance(45)
    assert expire_due_reservations() == 0


@pytest.mark.parametrize("other", [{"quantity": 5}, {"order_id": uuid4()}])
def test_a_key_never_stands_for_something_else(product: UUID, numbers: Numbers, other: dict[str, Any]) -> None:
    reserve(product)
    with pytest.raises(ReservationDiffers) as refusal:
        reserve(product, **other)
    assert refusal.value.details["conflict"] == "different"
    assert numbers(product) == HELD


def test_a_late_commit_gets_the_units_only_while_there_are_any(
    product: UUID, time: HeldClock, numbers: Numbers, facts: Facts
) -> None:
    expired(product, time)
    adjust_stock(product_id=product, delta=-8, reason="sold at the door")
    with pytest.raises(ReservationExpired) as refusal:
        commit_reservation(key=KEY)
    assert refusal.value.details["conflict"] == "expired"
    adjust_stock(product_id=product, delta=8, reason="returned")
    facts()
    commit_reservation(key=KEY)
    assert numbers(product) == SOLD
    assert facts() == [("stock_changed.v1", {"product_id": str(product), "available": 6})]


def test_an_expired_reservation_stays_expired_when_it_is_released(product: UUID, time: HeldClock) -> None:
    """Only its late commit is refused from then on: the caller was told that it is cancelled."""
    expired_and_released(product, time)
    assert Reservation.objects.get(pk=KEY).state == "expired"


def test_changes_of_what_is_available_are_told_and_commits_are_not(product: UUID, facts: Facts) -> None:
    facts()
    reserve(product)
    assert facts() == [("stock_changed.v1", {"product_id": str(product), "available": 6})]
    commit_reservation(key=KEY)
    assert facts() == []
    release_reservation(key="another:reserve_stock")
    assert facts() == []


def test_release_and_expiry_tell_what_is_available_again(product: UUID, time: HeldClock, facts: Facts) -> None:
    expired(product, time)
    reserve_stock(key="second:reserve", order_id=ORDER, lines=[Line(product_id=product, quantity=1)], ttl=TTL)
    release_reservation(key="second:reserve")
    told = [data["available"] for _, data in facts()]
    assert told == [0, 10, 6, 10, 9, 10]


def test_due_reservations_expire_in_batches_oldest_first(product: UUID, time: HeldClock) -> None:
    for number in range(5):
        line = Line(product_id=product, quantity=1)
        reserve_stock(key=f"saga-{number}:reserve", order_id=ORDER, lines=[line], ttl=timedelta(seconds=10 + number))
    time.advance(13)
    assert expire_due_reservations(limit=3) == 3
    assert expire_due_reservations(limit=3) == 1
    states = Reservation.objects.order_by("key").values_list("state", flat=True)
    assert list(states) == ["expired"] * 4 + ["held"]
