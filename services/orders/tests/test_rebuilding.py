"""The replica of the catalogue, built from what products published before, or shows."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from services.orders.tests.neighbours import Neighbours

from bandstand.events.backends import Bus, Message, current_bus
from bandstand.events.consuming import ConsumerLoop
from bandstand.events.envelope import Envelope
from bandstand.events.models import InboxRow
from bandstand.replicas.models import Mark
from orders.models import CatalogueProduct

PRODUCTS = [uuid4() for _ in range(20)]


@pytest.fixture
def bus(tmp_path: Path, transactional_db: None) -> Iterator[Bus]:
    """The bus that orders and products share."""
    events = {**settings.BANDSTAND.get("EVENTS", {}), "BUS_URL": f"embedded:///{tmp_path}/bus.sqlite3"}
    with override_settings(BANDSTAND={**settings.BANDSTAND, "EVENTS": events}):
        found = current_bus()
        yield found
        found.close()


def message(fact: str, product_id: UUID, sequence: int, **more: Any) -> Message:
    """An event as products publishes it."""
    envelope = Envelope(
        id=uuid4(),
        type=f"products.{fact}.v1",
        source="products",
        subject=str(product_id),
        time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=sequence),
        data=json.dumps({"product_id": str(product_id), **more}).encode(),
        sequence=sequence,
    )
    body = envelope.encoded().decode()
    return Message(event_id=str(envelope.id), type=envelope.type, subject=envelope.subject, body=body)


def state(name: str, amount: int) -> dict[str, Any]:
    """The fields of a product that has this name and price."""
    return {"sku": name, "name": name, "price": {"amount": amount, "currency": "EUR"}}


def history() -> list[Message]:
    """Products created, changed a few times, and every third of them retired."""
    made = [message("product_created", each, n, **state(f"P{n}", 100)) for n, each in enumerate(PRODUCTS, 1)]
    changed = [
        message("product_updated", each, 100 * round_ + n, **state(f"P{n}", 100 + round_))
        for round_ in (1, 2, 3)
        for n, each in enumerate(PRODUCTS, 1)
    ]
    retired = [message("product_retired", each, 1000 + n) for n, each in enumerate(PRODUCTS[::3], 1)]
    return [*made, *changed, *retired]


def consumed() -> None:
    """Turn the consumer loop until it is idle."""
    loop = ConsumerLoop()
    loop._consume()
    while loop._consume() == timedelta(0):
        pass
    loop._waiter.close()
    loop._leave()


def catalogue() -> list[dict[str, Any]]:
    """The whole replica."""
    return list(CatalogueProduct.objects.order_by("product_id").values())


def test_the_catalogue_is_rebuilt_from_zero_as_it_was(bus: Bus) -> None:
    bus.publish(history())
    consumed()
    before = catalogue()
    assert len(before) == len(PRODUCTS) - len(PRODUCTS[::3])
    rows = InboxRow.objects.count()

    with connection.cursor() as cursor:  # a fault that no later event would mend
        cursor.execute("UPDATE orders_catalogueproduct SET price_minor = 0")
    Mark.objects.update(sequence=10**9)
    call_command("replicas", "rebuild", "CatalogueProduct", "--yes")
    assert catalogue() == before
    assert InboxRow.objects.count() == rows

    bus.publish([message("product_updated", PRODUCTS[1], 2000, **state("new", 7))])
    consumed()
    assert CatalogueProduct.objects.get(product_id=PRODUCTS[1]).price_minor == 7


def test_the_catalogue_is_filled_by_asking_products_page_by_page(bus: Bus, neighbours: Neighbours) -> None:
    consumed()
    first, second = (
        {**state(f"P{n}", n), "id": str(each), "is_active": True} for n, each in enumerate(PRODUCTS[:2], 1)
    )
    neighbours.say(
        "GET products",
        (200, {"results": [first], "pagination": {"page_size": 100, "next_cursor": "more"}}),
        (200, {"results": [second], "pagination": {"page_size": 100, "next_cursor": None}}),
    )
    call_command("replicas", "backfill", "catalogueproduct")
    assert {row["sku"]: row["price_minor"] for row in catalogue()} == {"P1": 1, "P2": 2}
    assert [asked.key for asked in neighbours.of("GET products")] == [
        "cursor=&page_size=100",
        "cursor=more&page_size=100",
    ]
