"""A full disk and a locked database refuse an order cleanly, leave no half of it, and are over when they are over."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from services.orders.tests.placing import NewProduct, place, wish

from bandstand.events.models import OutboxRow
from orders.models import Order

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite(reason="its file is made full, and locked from outside"),
]


@contextmanager
def full_disk() -> Iterator[None]:
    """Let the database file grow no further, as a full volume does."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        try:
            yield
        finally:
            cursor.execute("PRAGMA max_page_count = 1073741823")


@contextmanager
def locked_by_somebody_else() -> Iterator[None]:
    """Hold the write lock of the file from another connection, and do not wait for it here."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 50")
            try:
                yield
            finally:
                other.execute("ROLLBACK")
                cursor.execute("PRAGMA busy_timeout = 20000")


def test_a_full_disk_refuses_orders_until_there_is_room(ann: Client, new_product: NewProduct) -> None:
    product = new_product()
    with full_disk():
        answers = [place(ann, wish(product, note="x" * 500)) for _ in range(60)]
        accepted = sum(answer.status_code == 202 for answer in answers)
        refused = answers[-1]
        assert refused.status_code == 503
        assert int(refused["Retry-After"]) >= 1
        assert refused.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        assert {answer.status_code for answer in answers} <= {202, 503}
        assert Order.objects.count() == accepted == OutboxRow.objects.count()
    assert place(ann, wish(product)).status_code == 202


def test_a_locked_database_refuses_an_order_that_then_goes_through_with_the_same_key(
    ann: Client, new_product: NewProduct
) -> None:
    product, key = new_product(), f"order-{uuid4()}"
    with locked_by_somebody_else():
        refused = place(ann, wish(product), key=key)
        assert (refused.status_code, "Retry-After" in refused) == (503, True)
    assert Order.objects.count() == 0
    assert place(ann, wish(product), key=key).status_code == 202
