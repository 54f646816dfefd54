"""The replica of availability, the seed, and what verifiers read."""

from collections.abc import Callable
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bandstand.testing.events import deliver
from bandstand.testing.facts import Facts
from products.models import Availability, Product

pytestmark = pytest.mark.django_db
NewProduct = Callable[..., Product]


def hear(product_id: UUID, available: int, *, sequence: int) -> None:
    data = {"product_id": product_id, "available": available}
    deliver("inventory.stock_changed.v1", data, subject=product_id, sequence=sequence)


def test_availability_may_be_heard_of_before_the_product(client: Client) -> None:
    product_id = UUID("019b76da-a800-7000-8000-000000000007")
    hear(product_id, 5, sequence=1)
    call_command("seed", stdout=StringIO())
    assert client.get(f"/api/v1/products/{product_id}/").json()["available"] == 5


@hypothesis_settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(1, 7)), repeats=st.lists(st.integers(1, 6), max_size=4))
def test_in_whatever_order_and_however_often_events_come_the_last_one_stands(
    order: list[int], repeats: list[int]
) -> None:
    product_id = uuid4()
    for sequence in [*order, *repeats]:
        hear(product_id, sequence * 10, sequence=sequence)
    assert Availability.objects.get(pk=product_id).available == 60


def test_the_seed_adds_fifty_products_once(facts: Facts) -> None:
    first, again = StringIO(), StringIO()
    call_command("seed", "--json", stdout=first)
    call_command("seed", "--json", stdout=again)
    assert first.getvalue().strip() == '{"products":50,"created":50}'
    assert again.getvalue().strip() == '{"products":50,"created":0}'
    assert [name for name, _ in facts()] == ["product_created.v1"] * 50
    skus = list(Product.objects.order_by("id").values_list("sku", flat=True))
    assert skus == [f"SKU-{number:04d}" for number in range(1, 51)]
    assert all(product.pk.version == 7 and product.price_minor > 0 for product in Product.objects.all())
    assert Product.objects.filter(is_featured=True).exists()


def test_the_seed_is_refused_in_production(settings: Any) -> None:
    service = {**settings.BANDSTAND["SERVICE"], "ENVIRONMENT": "production"}
    with (
        override_settings(BANDSTAND={**settings.BANDSTAND, "SERVICE": service}),
        pytest.raises(CommandError, match="production"),
    ):
        call_command("seed")
    assert not Product.objects.exists()


def test_verifiers_read_the_catalogue_and_the_replica(new_product: NewProduct) -> None:
    product = new_product(sku="G-1")
    hear(product.pk, 5, sequence=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT product_id, sku, amount, currency, is_active FROM audit_catalogue")
        assert [(*row[:4], bool(row[4])) for row in cursor.fetchall()] == [(str(product.pk), "G-1", 1999, "EUR", True)]
        cursor.execute("SELECT product_id, available FROM audit_availability")
        assert cursor.fetchall() == [(str(product.pk), 5)]
