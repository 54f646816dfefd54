"""The way of an event through three processes: one commits, one relays, one receives. Each is a role here."""

import contextlib
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks.messaging import servers, shop
from benchmarks.report import Gate, percentiles

SINK = "bench-sink"


def prepare(database: str) -> dict[str, Any]:
    """Make the tables."""
    shop.configure(database=database, stomp=1)
    shop.migrate()
    return {}


def write(database: str, gate: str, rate: float, count: int, kind: str) -> dict[str, Any]:
    """Commit a business row with an event so many times a second; the event says when it was made."""
    shop.configure(database=database, stomp=1)
    from benchmarks.messaging.writers import transactions

    commit = transactions()[kind]
    start, late = Gate(gate).wait(), 0.0
    for number in range(count):
        due = start + number / rate
        if (early := due - time.time()) > 0:
            time.sleep(early)
        commit(number)
        late = max(late, time.time() - due)
    return {"latest_commit_ms": round(late * 1e3, 1)}


def relay(database: str, bus: str, gate: str) -> dict[str, Any]:
    """The loop that a worker runs."""
    shop.configure(database=database, bus=bus)
    from bandstand.lifecycle import start_loops

    worker = start_loops(["relay"])
    _stay(gate)
    worker.drain(timedelta(seconds=5))
    return {}


def relay_of_dop(database: str, stomp: int, gate: str) -> dict[str, Any]:
    """django-outbox-pattern's command `publish`, which looks once a second."""
    shop.configure(database=database, stomp=stomp)
    from django_outbox_pattern.factories import factory_producer

    producer, entrance = factory_producer(), Gate(gate)
    entrance.wait()
    while not entrance.is_closed():
        producer.publish_message_from_database()
    return {}


def _stay(gate: str) -> None:
    entrance = Gate(gate)
    entrance.wait()
    while not entrance.is_closed():
        time.sleep(0.05)


def receive(bus: str, gate: str, count: int) -> dict[str, Any]:
    """Read from the bus as the consumers' loop does, without doing anything with what comes."""
    from bandstand.events.backends import open_bus

    opened = open_bus(bus)
    opened.register(SINK, [servers.KEY], from_beginning=False)
    waiter, subscription = opened.waiter(SINK), opened.subscribe(SINK)
    assert subscription is not None
    Gate(gate).wait()

    def some() -> list[float]:
        waiter.wait(timedelta(seconds=0.5))
        deliveries = subscription.fetch(100)
        now = time.time()
        if deliveries:
            subscription.ack(deliveries[-1].position)
        return [now - _made_at(each.message.body) for each in deliveries]

    found = _collected(some, count)
    subscription.close()
    opened.register(SINK, [], from_beginning=False)
    return found


def receive_plainly(url: str, gate: str, count: int) -> dict[str, Any]:
    """Read from the queue with py-amqp."""
    connection = servers.connect(url)
    channel = connection.channel()
    channel.basic_qos(0, 500, False)
    arrived: list[float] = []

    def note(message: Any) -> None:
        arrived.append(time.time() - json.loads(message.body)["at"])
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume(servers.QUEUE, callback=note)
    Gate(gate).wait()

    def some() -> list[float]:
        arrived.clear()
        with contextlib.suppress(TimeoutError):
            connection.drain_events(timeout=0.5)
        return [*arrived]

    return _collected(some, count)


def handle(database: str, bus: str, gate: str, count: int) -> dict[str, Any]:
    """The consumers' loop: the event reaches a handler, in a transaction with its inbox row."""
    shop.configure(database=database, bus=bus, name="mirror", events={"FROM_BEGINNING": False})
    shop.migrate()
    from bandstand.events import consumer
    from bandstand.events.backends import current_bus
    from bandstand.lifecycle import start_loops

    current_bus().register("mirror", [servers.KEY], from_beginning=False)
    arrived: list[float] = []
    consumer(shop.order_noted(), name="note")(lambda event, _: arrived.append(time.time() - event.at))
    worker = start_loops(["consumers"])
    Gate(gate).wait()
    seen = 0

    def some() -> list[float]:
        nonlocal seen
        time.sleep(0.02)
        new = arrived[seen:]
        seen += len(new)
        return new

    found = _collected(some, count)
    worker.drain(timedelta(seconds=5))
    current_bus().register("mirror", [], from_beginning=False)
    return found


def _made_at(body: str) -> float:
    at: float = json.loads(body)["data"]["at"]
    return at


def _collected(some: Callable[[], list[float]], count: int) -> dict[str, Any]:
    """Latencies until all have come, or none for five seconds."""
    latencies: list[float] = []
    last = time.monotonic()
    while len(latencies) < count and time.monotonic() - last < 5:
        new = some()
        if new:
            latencies += new
            last = time.monotonic()
    return {"arrived": len(latencies), **percentiles(latencies)}
