"""The journey of an order, as it is watched from the events of orders and payments."""

from uuid import UUID, uuid4

import pytest

from bandstand.sagas.choreography import store
from bandstand.sagas.choreography.models import ChoreographyWatch
from bandstand.testing.clock import HeldClock
from bandstand.testing.events import deliver
from notifications.config import notifications_config
from notifications.consumers.journey import OrderJourney

pytestmark = pytest.mark.django_db

_CAPTURED, _REFUNDED = "payments.payment_captured.v1", "payments.payment_refunded.v1"
_CONFIRMED, _CANCELLED = "orders.order_confirmed.v1", "orders.order_cancelled.v1"


@pytest.fixture
def order_id(time: HeldClock) -> UUID:
    """An order that was placed."""
    found = uuid4()
    hear(found, "orders.order_placed.v1")
    return found


def hear(order_id: UUID, *events: str) -> ChoreographyWatch:
    """Take in *events* as they come off the bus."""
    lacking = {"user_id": str(order_id), "total": {"amount": 1, "currency": "EUR"}, "lines": [], "reason": "deadline"}
    for event in events:
        deliver(event, {"order_id": str(order_id), **lacking}, subject=order_id)
    return ChoreographyWatch.objects.get(name=OrderJourney.name, key=str(order_id))


def test_it_begins_with_the_order_and_waits_for_its_end(order_id: UUID) -> None:
    watch = hear(order_id)
    assert (watch.state, len(watch.waiting_for.split())) == ("watching", 4)
    assert watch.due_at - watch.began_at == notifications_config().order_within


@pytest.mark.parametrize(
    "events",
    [
        (_CAPTURED, _CONFIRMED),
        (_CONFIRMED, _CAPTURED),
        (_CAPTURED, _CONFIRMED, _REFUNDED),
        ("orders.order_rejected.v1",),
        ("payments.payment_declined.v1", "orders.order_rejected.v1"),
        (_CANCELLED,),
        (_CAPTURED, _REFUNDED, _CANCELLED),
        (_CANCELLED, _REFUNDED),
    ],
)
def test_it_completes_however_an_order_may_end(order_id: UUID, events: tuple[str, ...]) -> None:
    assert hear(order_id, *events).state == "completed"


@pytest.mark.parametrize(
    ("events", "state", "note"),
    [
        ((), "stalled", "is overdue"),
        ((_CAPTURED,), "stalled", f"{_CONFIRMED} or {_REFUNDED} is overdue"),
        ((_CONFIRMED,), "deviated", f"{_CAPTURED} was passed over"),
        ((_CAPTURED, _CANCELLED), "deviated", f"{_REFUNDED} was passed over"),
        ((_CAPTURED, _CONFIRMED, _CANCELLED), "deviated", "does not go with"),
    ],
)
def test_money_without_goods_and_goods_without_money_are_noticed(
    order_id: UUID, time: HeldClock, events: tuple[str, ...], state: str, note: str
) -> None:
    hear(order_id, *events)
    time.advance(notifications_config().order_within * 2)
    store.look()
    watch = hear(order_id)
    assert (watch.state, note in watch.note) == (state, True)
