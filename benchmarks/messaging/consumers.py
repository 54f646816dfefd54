"""Ways to consume events from a quorum queue of RabbitMQ. Run in processes of their own.

Each event counts once: its id is kept in the transaction of its effect, a row in PostgreSQL. By hand that is an INSERT
whose key is violated the second time.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks.messaging import byhand, servers, shop
from benchmarks.messaging.frames import load

_PREFETCH = 100


def limit(database: str, url: str, count: int) -> dict[str, Any]:
    """No database: py-amqp takes what comes and acknowledges a hundred at once."""
    del database
    _load(url, count)
    connection = servers.connect(url)
    channel, seen = connection.channel(), 0
    channel.basic_qos(0, 1000, False)

    def take(message: Any) -> None:
        nonlocal seen
        seen += 1
        if seen % 100 == 0:
            channel.basic_ack(message.delivery_tag, multiple=True)

    started = time.perf_counter()
    channel.basic_consume(servers.QUEUE, callback=take)
    while seen < count:
        connection.drain_events(timeout=5)
    return _rate(count, started)


def bandstand_batch(database: str, url: str, count: int) -> dict[str, Any]:
    """A consumer that takes all events of a transaction at once."""

    def note(events: list[Any]) -> None:
        from benchmarks.messaging.orders.models import Effect

        Effect.objects.bulk_create([Effect(order_id=int(event.order_id), total=event.total) for event, _ in events])

    return _bandstand(database, url, count, note, batch=True)


def bandstand_each(database: str, url: str, count: int) -> dict[str, Any]:
    """A consumer that takes one event and uses the ORM as it likes."""

    def note(event: Any, _: Any) -> None:
        from benchmarks.messaging.orders.models import Effect

        Effect.objects.create(order_id=int(event.order_id), total=event.total)

    return _bandstand(database, url, count, note, batch=False)


def _bandstand(database: str, url: str, count: int, handler: Callable[..., None], *, batch: bool) -> dict[str, Any]:
    shop.configure(database=database, bus=url, name="mirror")
    shop.migrate()
    from bandstand.events import consumer
    from bandstand.events.backends import Message, current_bus
    from bandstand.lifecycle import start_loops

    consumer(shop.order_noted(), name="note", batch=batch)(handler)
    bus = current_bus()
    bus.register("mirror", [servers.KEY], from_beginning=False)
    made = [(number, *shop.envelope(number, sequence=number + 1)) for number in range(count)]
    messages = [Message(event_id=id_, type=servers.KEY, subject=str(number), body=text) for number, id_, text in made]
    for at in range(0, count, 500):
        bus.publish(messages[at : at + 500])
    started = time.perf_counter()
    worker = start_loops(["consumers"])
    found = _until_applied(count, started)
    worker.drain(timedelta(seconds=5))
    bus.register("mirror", [], from_beginning=False)
    return found


def _until_applied(count: int, started: float) -> dict[str, Any]:
    from benchmarks.messaging.orders.models import Effect

    deadline = time.monotonic() + 60
    while (found := Effect.objects.count()) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found == count, f"{found} effects of {count} events"
    return _rate(count, started)


def articles(database: str, url: str, count: int) -> dict[str, Any]:
    """The articles' consumer: one event at a time from the broker."""
    return pika(database, url, count, prefetch=1)


def pika(database: str, url: str, count: int, *, prefetch: int = _PREFETCH) -> dict[str, Any]:
    import pika as library

    handle = _prepare(database)
    _load(url, count)
    connection = library.BlockingConnection(library.URLParameters(url))
    channel, seen = connection.channel(), 0
    channel.basic_qos(prefetch_count=prefetch)

    def take(_: Any, method: Any, __: Any, body: bytes) -> None:
        nonlocal seen
        handle(body)
        channel.basic_ack(method.delivery_tag)
        seen += 1
        if seen == count:
            channel.stop_consuming()

    started = time.perf_counter()
    channel.basic_consume(servers.QUEUE, take)
    channel.start_consuming()
    return _until_applied(count, started)


def kombu(database: str, url: str, count: int) -> dict[str, Any]:
    from kombu import Connection, Consumer, Queue

    handle, seen = _prepare(database), 0
    _load(url, count)

    def take(message: Any) -> None:
        nonlocal seen
        handle(message.body)
        message.ack()
        seen += 1

    queue = Queue(servers.QUEUE, no_declare=True)
    with Connection(url) as connection:
        started = time.perf_counter()
        with Consumer(connection, [queue], on_message=take, prefetch_count=_PREFETCH):
            while seen < count:
                connection.drain_events(timeout=5)
    return _until_applied(count, started)


def aio_pika(database: str, url: str, count: int) -> dict[str, Any]:
    """Handlers are synchronous, as the ORM is, so they run in threads."""
    import aio_pika as library

    handle = _prepare(database)
    _load(url, count)

    async def run() -> float:
        done, seen = asyncio.Event(), 0

        async def take(message: Any) -> None:
            nonlocal seen
            async with message.process():
                await asyncio.to_thread(handle, message.body)
            seen += 1
            if seen == count:
                done.set()

        async with await library.connect_robust(url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=_PREFETCH)
            queue = await channel.get_queue(servers.QUEUE, ensure=False)
            started = time.perf_counter()
            await queue.consume(take)
            await asyncio.wait_for(done.wait(), 60)
        return started

    return _until_applied(count, asyncio.run(run()))


def faststream(database: str, url: str, count: int) -> dict[str, Any]:
    """A synchronous handler, which FastStream runs in threads."""
    from faststream.middlewares import AckPolicy
    from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

    handle, guard, seen = _prepare(database), threading.Lock(), 0
    _load(url, count)
    broker = RabbitBroker(url, logger=None, default_channel=Channel(prefetch_count=_PREFETCH))

    async def run() -> float:
        done, loop = asyncio.Event(), asyncio.get_running_loop()

        @broker.subscriber(RabbitQueue(servers.QUEUE, declare=False), ack_policy=AckPolicy.NACK_ON_ERROR)
        def take(body: dict[str, Any]) -> None:
            nonlocal seen
            handle(body)
            with guard:
                seen += 1
                if seen == count:
                    loop.call_soon_threadsafe(done.set)

        started = time.perf_counter()
        await broker.start()
        await asyncio.wait_for(done.wait(), 60)
        await broker.stop()
        return started

    return _until_applied(count, asyncio.run(run()))


def celery(database: str, url: str, count: int) -> dict[str, Any]:
    """A worker with two processes; counted from the first effect on, for it takes seconds to start."""
    os.environ.update({"BENCH_DATABASE": database, "BENCH_BROKER": url})
    from benchmarks.messaging.tasks import app, note

    shop.migrate()
    from benchmarks.messaging.orders.models import Effect

    for number in range(count):
        note.delay(json.loads(shop.envelope(number)[1]))
    worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", app.main, "worker", "-c", "2", "-l", "ERROR"])
    try:
        deadline = time.monotonic() + 30
        while not (before := Effect.objects.count()) and time.monotonic() < deadline:
            time.sleep(0.005)
        started = time.perf_counter()
        _until_applied(count, started)
        return _rate(count - before, started)
    finally:
        worker.terminate()
        worker.wait()
        with servers.connect(url) as connection:
            connection.channel().queue_delete(f"{servers.QUEUE}-celery")


def _prepare(database: str) -> Callable[[bytes | dict[str, Any]], None]:
    """Make the tables; the handler that is the same for every client, each of whose threads has a connection."""
    shop.configure(database=f"{database}?pool_max_size=64")
    shop.migrate()
    return byhand.apply


def _load(url: str, count: int) -> None:
    load(url, [shop.envelope(number, sequence=number + 1)[1].encode() for number in range(count)])


def _rate(count: int, started: float) -> dict[str, Any]:
    return {"events_per_second": round(count / (time.perf_counter() - started))}
