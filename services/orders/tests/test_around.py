"""What moves orders' replicas besides requests: events; and what verifiers read."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import Client
from services.orders.tests.placing import NewProduct, placed

from bandstand.testing.events import deliver
from orders import consumers
from orders.events import OrderPlaced
from orders.models import CatalogueProduct, DailyStatistic

pytestmark = pytest.mark.django_db


def test_the_catalogue_follows_the_events_of_products() -> None:
    product_id = uuid4()
    for sequence, (fact, amount) in enumerate([("created", 100), ("updated", 200)], 1):
        price = {"amount": amount, "currency": "EUR"}
        data = {"product_id": product_id, "sku": "A-1", "name": "A", "price": price, "colour": "not read here"}
        deliver(f"products.product_{fact}.v1", data, subject=product_id, sequence=sequence)
    known = CatalogueProduct.objects.get(pk=product_id)
    assert (known.sku, known.price_minor, known.currency) == ("A-1", 200, "EUR")
    deliver("products.product_retired.v1", {"product_id": product_id}, subject=product_id, sequence=3)
    assert not CatalogueProduct.objects.exists()


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
    with connection.cursor() as cursor:
        cursor.execute("SELECT product_id, sku, amount, currency, is_active FROM audit_catalogue")
        [row] = cursor.fetchall()
        cursor.execute("SELECT day, status, count, total_amount FROM audit_statistics")
        assert cursor.fetchall() == []
    assert (*row[:4], bool(row[4])) == (str(known.product_id), known.sku, 250, "EUR", True)
