"""Ways to publish an event of 500 bytes to a quorum queue of RabbitMQ; each returns how many and how long it took.

Persistent messages, and confirmed by the broker except where the name says otherwise.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks.messaging.frames import flood
from benchmarks.messaging.servers import EXCHANGE, KEY, connect
from benchmarks.messaging.shop import envelope

IN_FLIGHT = 500
Result = tuple[int, float]


def body() -> bytes:
    return envelope(1, sequence=1)[1].encode()


def repeat(publish: Callable[[], object], seconds: float, *, each: int = 1) -> Result:
    """Call *publish*, which publishes so many, until the time is up."""
    count, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds:
        publish()
        count += each
    return count, took


def raw_in_flight(url: str, seconds: float) -> Result:
    return flood(url, body(), seconds=seconds, at_once=IN_FLIGHT, windows=4)


def raw_one_by_one(url: str, seconds: float) -> Result:
    return flood(url, body(), seconds=seconds, at_once=1, windows=1)


def bandstand(url: str, seconds: float, *, at_once: int = IN_FLIGHT) -> Result:
    """`Bus.publish`, as the relay calls it; every message has an envelope of its own."""
    from bandstand.events.backends import Message, open_bus

    bus = open_bus(url)
    bus.register("bench-sink", [KEY], from_beginning=False)
    made = [envelope(number, sequence=1) for number in range(IN_FLIGHT)]
    messages = [Message(event_id=id_, type=KEY, subject=str(n % 50), body=text) for n, (id_, text) in enumerate(made)]

    def publish() -> None:
        assert len(bus.publish(messages[:at_once]).accepted) == at_once

    publish()
    found = repeat(publish, seconds, each=at_once)
    bus.register("bench-sink", [], from_beginning=False)
    bus.close()
    return found


def bandstand_one_by_one(url: str, seconds: float) -> Result:
    return bandstand(url, seconds, at_once=1)


def py_amqp(url: str, seconds: float) -> Result:
    """Without waiting for each: the client that kombu and Celery stand on, used directly."""
    import amqp

    connection = connect(url)
    channel = connection.channel()
    confirmed, sent, text = [0], 0, body()

    def note(tag: int, multiple: bool) -> None:
        confirmed[0] = tag if multiple else confirmed[0] + 1

    channel.events["basic_ack"].add(note)
    channel.confirm_select()

    def publish() -> None:
        nonlocal sent
        for _ in range(IN_FLIGHT):
            channel._basic_publish(
                amqp.Message(text, delivery_mode=2, content_type="application/json"), EXCHANGE, KEY, mandatory=True
            )
        sent += IN_FLIGHT
        while confirmed[0] < sent:
            connection.drain_events(timeout=10)

    found = repeat(publish, seconds, each=IN_FLIGHT)
    connection.close()
    return found


def kombu(url: str, seconds: float) -> Result:
    """Pooled producers with `confirm_publish`, which waits for each confirm."""
    from kombu import Connection, Exchange
    from kombu.pools import producers

    connection = Connection(url, transport_options={"confirm_publish": True})
    exchange, text = Exchange(EXCHANGE, "topic", durable=True), body()

    def publish() -> None:
        with producers[connection].acquire(block=True) as producer:
            producer.publish(
                text,
                exchange=exchange,
                routing_key=KEY,
                delivery_mode=2,
                content_type="application/json",
                content_encoding="utf-8",
            )

    return repeat(publish, seconds)


def pika(url: str, seconds: float) -> Result:
    """BlockingConnection with `confirm_delivery`, which waits for each confirm."""
    import pika as library

    connection = library.BlockingConnection(library.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    properties, text = library.BasicProperties(delivery_mode=2, content_type="application/json"), body()
    found = repeat(lambda: channel.basic_publish(EXCHANGE, KEY, text, properties, mandatory=True), seconds)
    connection.close()
    return found


def pika_select(url: str, seconds: float) -> Result:
    """SelectConnection with callbacks, 1000 in flight."""
    import pika as library

    properties, text = library.BasicProperties(delivery_mode=2, content_type="application/json"), body()
    sent = confirmed = 0
    started = 0.0

    def begin(channel: Any) -> None:
        nonlocal started
        started = time.perf_counter()
        channel.confirm_delivery(lambda frame: note(channel, frame.method), callback=lambda _: go_on(channel))

    def note(channel: Any, method: Any) -> None:
        nonlocal confirmed
        confirmed = method.delivery_tag if method.multiple else confirmed + 1
        if sent - confirmed < IN_FLIGHT:
            go_on(channel)

    def go_on(channel: Any) -> None:
        nonlocal sent
        while sent - confirmed < 2 * IN_FLIGHT and time.perf_counter() - started < seconds:
            channel.basic_publish(EXCHANGE, KEY, text, properties, mandatory=True)
            sent += 1
        if sent == confirmed:
            connection.close()

    connection = library.SelectConnection(
        library.URLParameters(url),
        on_open_callback=lambda opened: opened.channel(on_open_callback=begin),
        on_close_callback=lambda closed, _: closed.ioloop.stop(),
    )
    connection.ioloop.start()
    return sent, time.perf_counter() - started


async def gathered(publish: Callable[[], Awaitable[object]], seconds: float) -> Result:
    """Await so many publications at once until the time is up."""
    count, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds:
        await asyncio.gather(*[publish() for _ in range(IN_FLIGHT)])
        count += IN_FLIGHT
    return count, took


def aio_pika(url: str, seconds: float) -> Result:
    import aio_pika as library

    async def run() -> Result:
        text = body()
        async with await library.connect_robust(url) as connection:
            channel = await connection.channel(publisher_confirms=True)
            exchange = await channel.get_exchange(EXCHANGE, ensure=False)

            def publish() -> Awaitable[object]:
                message = library.Message(text, delivery_mode=2, content_type="application/json")
                return exchange.publish(message, KEY)

            return await gathered(publish, seconds)

    return asyncio.run(run())


def faststream(url: str, seconds: float) -> Result:
    from faststream.rabbit import ExchangeType, RabbitBroker, RabbitExchange

    async def run() -> Result:
        text, exchange = body(), RabbitExchange(EXCHANGE, type=ExchangeType.TOPIC, durable=True)
        async with RabbitBroker(url, logger=None) as broker:
            return await gathered(
                lambda: broker.publish(
                    text, exchange=exchange, routing_key=KEY, persist=True, content_type="application/json"
                ),
                seconds,
            )

    return asyncio.run(run())


def articles(url: str, seconds: float) -> Result:
    """`RabbitMQEventBus.publish` as the articles write it: a connection for each event, and no confirms."""
    import pika as library

    parts, text = urlsplit(url), body()

    def publish() -> None:
        connection = library.BlockingConnection(library.ConnectionParameters(host=parts.hostname, port=parts.port))
        channel = connection.channel()
        channel.exchange_declare(exchange=EXCHANGE, exchange_type="topic", durable=True)
        properties = library.BasicProperties(delivery_mode=2, content_type="application/json")
        channel.basic_publish(exchange=EXCHANGE, routing_key=KEY, body=text, properties=properties)
        connection.close()

    return repeat(publish, seconds)


LIMIT = "raw frames, 4 x 500 in flight"
OURS = "bandstand, 500 at once"
WAYS: dict[str, Callable[[str, float], Result]] = {
    LIMIT: raw_in_flight,
    OURS: bandstand,
    "py-amqp, 500 in flight": py_amqp,
    "pika SelectConnection, 1000 in flight": pika_select,
    "aio-pika, 500 in flight": aio_pika,
    "FastStream, 500 in flight": faststream,
    "raw frames, one by one": raw_one_by_one,
    "bandstand, one by one": bandstand_one_by_one,
    "kombu, one by one": kombu,
    "pika BlockingConnection, one by one": pika,
    "the articles: a connection each, no confirms": articles,
}
