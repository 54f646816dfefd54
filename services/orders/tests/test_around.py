"""What moves orders' replicas besides requests: events; and what verifiers read."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from services.orders.tests.placing import NewProduct, placed

from bandstand import clock
from bandstand.events import Envelope, Event
from orders import commands, consumers
from orders.events import OrderPlaced
from orders.models import CatalogueProduct, DailyStatistic

pytestmark = pytest.mark.django_db


def deliver(consumer: Callable[..., None], event: type[Event], data: bytes, *, sequence: int) -> None:
    """Hand an event over as the inbox does."""
    envelope = Envelope(
        id=uuid4(),
        type=event.event_name,
        source="products",
        subject="x",
        time=clock.now(),
        data=data,
        correlation_id="x" * 8,
        sequence=sequence,
    )
    consumer(event.decoded(data), envelope)


def product(product_id: UUID, price: int) -> bytes:
    return (
        b'{"product_id":"%s","sku":"A-1","name":"A","price":{"amount":%d,"currency":"EUR"},"colour":"not read here"}'
        % (str(product_id).encode(), price)
    )


def test_the_catalogue_follows_the_events_of_products() -> None:
    product_id = uuid4()
    deliver(consumers.learn_created_product, consumers.ProductCreated, product(product_id, 100), sequence=1)
    deliver(consumers.learn_updated_product, consumers.ProductUpdated, product(product_id, 200), sequence=2)
    known = CatalogueProduct.objects.get(pk=product_id)
    assert (known.sku, known.price_minor, known.is_active, known.sequence) == ("A-1", 200, True, 2)
    retired = b'{"product_id":"%s"}' % str(product_id).encode()
    deliver(consumers.forget_retired_product, consumers.ProductRetired, retired, sequence=3)
    assert not CatalogueProduct.objects.get(pk=product_id).is_active


@pytest.mark.parametrize(
    ("consumer", "end"),
    [
        (consumers.count_confirmed, "confirmed"),
        (consumers.count_rejected, "rejected"),
        (consumers.count_cancelled, "cancelled"),
    ],
)
def test_the_statistics_follow_our_own_events(
    ann: Client, new_product: NewProduct, consumer: Callable[..., None], end: str
) -> None:
    order = placed(ann, new_product())
    event: Any = OrderPlaced(order_id=UUID(order["id"]), user_id=uuid4(), total=None, lines=[])  # type: ignore[arg-type]
    consumers.count_placed(event, None)  # type: ignore[arg-type]
    consumer(event, None)
    rows = DailyStatistic.objects.order_by("status").values_list("status", "count", "total_minor")
    assert set(rows) == {("pending", 0, 0), (end, 1, order["total"]["amount"])}


def test_the_other_audit_views_tell_what_the_replicas_hold(new_product: NewProduct) -> None:
    known = CatalogueProduct.objects.get(pk=new_product(250))
    commands.retire_product(product_id=known.product_id, sequence=9)
    with connection.cursor() as cursor:
        cursor.execute("SELECT product_id, sku, amount, currency, is_active FROM audit_catalogue")
        [row] = cursor.fetchall()
        cursor.execute("SELECT day, status, count, total_amount FROM audit_statistics")
        assert cursor.fetchall() == []
    assert (*row[:4], bool(row[4])) == (str(known.product_id), known.sku, 250, "EUR", False)
