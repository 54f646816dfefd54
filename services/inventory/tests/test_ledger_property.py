"""Whatever happens in whatever order: rows add up, equal their ledger, and match a model of a few lines."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bandstand.errors import ServiceError
from bandstand.testing.clock import held_clock
from inventory.commands import (
    adjust_stock,
    commit_reservation,
    expire_due_reservations,
    open_stock,
    release_reservation,
    reserve_stock,
)
from inventory.models import Line, Reservation, ReservationLine, Stock

PRODUCTS = [UUID(int=number + 1) for number in range(3)]
ORDER = uuid4()

keys = st.sampled_from([f"saga-{number}:reserve" for number in range(4)])
lines = st.lists(
    st.builds(Line, product_id=st.sampled_from(PRODUCTS), quantity=st.integers(1, 6)),
    min_size=1,
    max_size=3,
    unique_by=lambda line: line.product_id,
)
actions = st.one_of(
    st.tuples(st.just("adjust"), st.sampled_from(PRODUCTS), st.integers(-8, 12).filter(bool)),
    st.tuples(st.just("reserve"), keys, lines),
    st.tuples(st.just("commit"), keys),
    st.tuples(st.just("release"), keys),
    st.tuples(st.just("wait"), st.sampled_from([5, 20, 40])),
    st.tuples(st.just("expire")),
)


@pytest.mark.django_db
# `agree` only reads, so it may serve all examples; each of them is rolled back.
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(actions, max_size=25))
def test_stock_equals_the_fold_of_its_ledger_and_what_reservations_hold(
    agree: Callable[[], None], story: list[tuple]
) -> None:
    with held_clock() as time, transaction.atomic():
        for product in PRODUCTS:
            open_stock(product_id=product, sku=str(product.int))
        for action in story:
            _do(action, time.advance)
            _check()
        agree()
        transaction.set_rollback(True)


def _do(action: tuple, advance: Callable[[float], None]) -> None:
    try:
        match action:
            case ("adjust", product, delta):
                adjust_stock(product_id=product, delta=delta, reason="count")
            case ("reserve", key, wanted):
                reserve_stock(key=key, order_id=ORDER, lines=wanted, ttl=timedelta(seconds=30))
            case ("commit", key):
                commit_reservation(key=key)
            case ("release", key):
                release_reservation(key=key)
            case ("wait", seconds):
                advance(seconds)
            case _:
                expire_due_reservations()
    except ServiceError as refusal:
        assert refusal.status in (404, 409, 422)  # noqa: PT017 - any refusal will do, as long as it is one


def _check() -> None:
    for stock in Stock.objects.all():
        assert stock.initial + stock.restocked == stock.available + stock.held + stock.sold
        reserved = ReservationLine.objects.filter(product=stock)
        assert stock.held == sum(line.quantity for line in reserved.filter(reservation__state="held"))
        assert stock.sold == sum(line.quantity for line in reserved.filter(reservation__state="committed"))
    assert not Reservation.objects.filter(state="tombstoned", lines__isnull=False).exists()
