"""What moves the inventory besides requests: events, the expiry loop, the seed; and what verifiers read."""

import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings

from bandstand import clock
from bandstand.events import Envelope
from bandstand.lifecycle import registered_loops
from bandstand.testing.clock import HeldClock
from bandstand.testing.facts import Facts
from inventory import consumers
from inventory.commands import adjust_stock, commit_reservation, release_reservation, reserve_stock
from inventory.models import Line, Reservation, Stock

pytestmark = pytest.mark.django_db
NewStock = Callable[[int], UUID]


def envelope(data: bytes) -> Envelope:
    return Envelope(
        id=uuid4(), type="", source="products", subject="x", time=clock.now(), data=data, correlation_id="x" * 8
    )


def test_a_new_product_gets_a_stock_row_and_keeps_its_sku_up_to_date() -> None:
    product = uuid4()
    created = (
        b'{"product_id":"%s","sku":"A-1","name":"A","price":{"amount":1,"currency":"EUR"}}' % str(product).encode()
    )
    updated = created.replace(b"A-1", b"A-2")
    for _ in range(2):
        consumers.keep_stock_of(consumers.ProductCreated.decoded(created), envelope(created))
    consumers.keep_sku(consumers.ProductUpdated.decoded(updated), envelope(updated))
    stock = Stock.objects.get(pk=product)
    assert (stock.sku, stock.available, stock.initial) == ("A-2", 0, 0)


@pytest.mark.django_db(transaction=True)
def test_the_expiry_loop_gives_units_back_and_stops_when_told(new_stock: NewStock, time: HeldClock) -> None:
    product = new_stock(5)
    line = Line(product_id=product, quantity=5)
    reserve_stock(key="saga-1:reserve", order_id=uuid4(), lines=[line], ttl=timedelta(seconds=30))
    time.advance(31)
    stop = threading.Event()
    loop = registered_loops()["expiry"]()

    def run() -> None:
        try:
            loop.run(stop)
        finally:
            connection.close()

    worker = threading.Thread(target=run)
    worker.start()
    try:
        for _ in range(500):
            if Reservation.objects.filter(state="expired").exists():
                break
            stop.wait(0.01)
    finally:
        stop.set()
        worker.join(timeout=5)
    assert not worker.is_alive()
    assert Stock.objects.get(pk=product).available == 5


def test_the_seed_gives_each_product_its_stock_once() -> None:
    call_command("seed", stdout=StringIO())
    stock = {row.sku: row.available for row in Stock.objects.all()}
    assert len(stock) == 50
    assert (stock["SKU-0001"], stock["SKU-0049"], stock["SKU-0050"]) == (1_000_000, 0, 1)


def test_seeding_again_changes_nothing_and_never_resets_stock(facts: Facts) -> None:
    call_command("seed", stdout=StringIO())
    last = Stock.objects.get(sku="SKU-0050")
    line = Line(product_id=last.pk, quantity=1)
    reserve_stock(key="saga-1:reserve", order_id=uuid4(), lines=[line], ttl=timedelta(seconds=30))
    facts()
    out = StringIO()
    call_command("seed", "--json", stdout=out)
    assert out.getvalue().strip() == '{"products":50,"opened":0}'
    assert Stock.objects.get(sku="SKU-0050").available == 0
    assert facts() == []


def test_the_seed_and_the_event_of_a_product_may_come_in_either_order() -> None:
    first = consumers.ProductCreated(product_id=UUID("019b76da-a800-7000-8000-000000000001"), sku="SKU-0001")
    last = consumers.ProductCreated(product_id=UUID("019b76da-a800-7000-8000-000000000050"), sku="SKU-0050")
    consumers.keep_stock_of(first, envelope(b"{}"))
    call_command("seed", stdout=StringIO())
    consumers.keep_stock_of(last, envelope(b"{}"))
    assert Stock.objects.count() == 50
    assert Stock.objects.get(sku="SKU-0001").available == 1_000_000
    assert Stock.objects.get(sku="SKU-0050").available == 1


def test_the_seed_is_refused_in_production(settings: Any) -> None:
    service = {**settings.BANDSTAND["SERVICE"], "ENVIRONMENT": "production"}
    with (
        override_settings(BANDSTAND={**settings.BANDSTAND, "SERVICE": service}),
        pytest.raises(CommandError, match="production"),
    ):
        call_command("seed")
    assert not Stock.objects.exists()


def test_verifiers_read_stock_and_one_row_for_each_reserved_line(new_stock: NewStock, time: HeldClock) -> None:
    product, order_id = new_stock(9), UUID("019b76da-a800-7000-8000-00000000abcd")
    adjust_stock(product_id=product, delta=1, reason="x")
    line = Line(product_id=product, quantity=2)
    for number in range(2):
        reserve_stock(key=f"saga-{number}:reserve", order_id=order_id, lines=[line], ttl=timedelta(seconds=30))
    commit_reservation(key="saga-1:reserve")
    release_reservation(key="saga-2:reserve")
    with connection.cursor() as cursor:
        cursor.execute("SELECT product_id, sku, initial, restocked, available, held, sold FROM audit_stock")
        assert cursor.fetchall() == [(str(product), f"SKU-{product.hex[:8]}", 0, 10, 6, 2, 2)]
        cursor.execute(
            "SELECT key, order_id, product_id, quantity, state, expires_at FROM audit_reservations ORDER BY key"
        )
        rows = cursor.fetchall()
    assert [row[:5] for row in rows] == [
        ("saga-0:reserve", str(order_id), str(product), 2, "held"),
        ("saga-1:reserve", str(order_id), str(product), 2, "committed"),
        ("saga-2:reserve", None, None, 0, "tombstoned"),
    ]
    assert [row[5] and row[5][:19] for row in rows] == ["2026-01-01T12:00:30", "2026-01-01T12:00:30", None]
