"""Ways to carry a backlog of events from the outbox to a broker. Run in processes of their own."""

import json
import sqlite3
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from benchmarks.messaging import servers, shop

SUBJECTS = 1_000
SINK = "bench-sink"


def ours(database: str, bus: str, count: int) -> dict[str, Any]:
    """The relay's loop as a worker runs it; every event ends as a receipt in the table of delivered ones."""
    shop.configure(database=database, bus=bus)
    shop.migrate()
    from bandstand.events.backends import current_bus
    from bandstand.lifecycle import start_loops

    fill(count)
    current_bus().register(SINK, [servers.KEY], from_beginning=False)
    highest = watch(database, "SELECT max(id) FROM bandstand_events_delivered")
    started = time.perf_counter()
    worker = start_loops(["relay"])
    while highest() != count:
        time.sleep(0.005)
    took = time.perf_counter() - started
    worker.drain(timedelta(seconds=5))
    receipts = watch(database, "SELECT count(*) FROM bandstand_events_delivered")()
    (lag,) = [group.lag for group in current_bus().groups() if group.name == SINK]
    assert receipts == lag == count, f"{receipts} receipts and {lag} on the bus of {count}"
    current_bus().register(SINK, [], from_beginning=False)
    return {"events_per_second": round(count / took)}


def fill(count: int) -> None:
    """Write a backlog into the outbox."""
    from bandstand import clock
    from bandstand.events.models import OutboxRow
    from bandstand.events.partitions import slot_of

    now, made = clock.now(), [shop.envelope(number) for number in range(count)]
    rows = [
        OutboxRow(
            event_id=event_id,
            type=servers.KEY,
            subject=str(number % SUBJECTS),
            envelope=text,
            created_at=now,
            slot=slot_of(str(number % SUBJECTS)),
        )
        for number, (event_id, text) in enumerate(made)
    ]
    OutboxRow.objects.bulk_create(rows, batch_size=1000)


def watch(database: str, query: str) -> Callable[[], Any]:
    """A question that is put to the database on a connection of its own."""
    if database.startswith("sqlite"):
        file = sqlite3.connect(urlsplit(database).path[1:], isolation_level=None)
        return lambda: file.execute(query).fetchone()[0]
    import psycopg

    connection = psycopg.connect(database, autocommit=True)
    return lambda: connection.execute(query).fetchone()[0]  # type: ignore[index,call-overload]


def dop(database: str, url: str, stomp: int, count: int) -> dict[str, Any]:
    """django-outbox-pattern's own `publish` without its pause of a second; it asks the broker for no receipts."""
    shop.configure(database=database, stomp=stomp)
    shop.migrate()
    from django_outbox_pattern.choices import StatusChoice
    from django_outbox_pattern.factories import factory_producer
    from django_outbox_pattern.models import Published

    made = (
        Published(destination=f"/exchange/amq.topic/{servers.KEY}", body=shop.facts(number), headers={})
        for number in range(count)
    )
    Published.objects.bulk_create(made, batch_size=1000)
    producer = factory_producer()
    producer._waiting = lambda: None
    started = time.perf_counter()
    producer.publish_message_from_database()
    took = time.perf_counter() - started
    assert Published.objects.filter(status=StatusChoice.SUCCEEDED).count() == count
    return {"events_per_second": round(count / took), "arrived": arrived(url, count)}


def by_hand(database: str, url: str, count: int) -> dict[str, Any]:
    """The usual loop: read the oldest, publish with kombu and wait for the confirm, delete the row."""
    shop.configure(database=database)
    shop.migrate()
    import kombu

    from bandstand import clock
    from benchmarks.messaging.orders.models import Pending

    made = (
        Pending(event_id=clock.uuid7(), routing_key=servers.KEY, body=json.dumps(shop.facts(number)))
        for number in range(count)
    )
    Pending.objects.bulk_create(made, batch_size=1000)
    producer = kombu.Connection(url, transport_options={"confirm_publish": True}).Producer()
    started = time.perf_counter()
    while rows := Pending.objects.order_by("id")[:100]:
        for row in rows:
            producer.publish(
                row.body,
                exchange="amq.topic",
                routing_key=row.routing_key,
                delivery_mode=2,
                content_type="application/json",
                content_encoding="utf-8",
            )
            row.delete()
    took = time.perf_counter() - started
    return {"events_per_second": round(count / took), "arrived": arrived(url, count)}


def arrived(url: str, expected: int) -> int:
    """How many messages the queue holds, once it holds as many as expected or three seconds have passed."""
    until = time.monotonic() + 3
    while (found := servers.waiting(url)) < expected and time.monotonic() < until:
        time.sleep(0.02)
    return found
