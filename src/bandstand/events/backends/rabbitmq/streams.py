"""Looking into a stream, which takes nothing from it."""

from collections.abc import Callable

import amqp

from bandstand import clock

__all__ = ["found"]

_AT_ONCE = 100


def found(
    connection: amqp.Connection,
    stream: str,
    *,
    since: str | int,
    seconds: float,
    is_it: Callable[[amqp.Message], bool] = lambda _: True,
) -> amqp.Message | None:
    """The first message from *since* on that is the right one, or None when none has come for so long."""
    matching: list[amqp.Message] = []

    def arrived(message: amqp.Message) -> None:
        channel.basic_ack(message.delivery_tag)
        if is_it(message):
            matching.append(message)

    channel = connection.channel()
    channel.basic_qos(0, _AT_ONCE, a_global=False)
    consumer = channel.basic_consume(stream, callback=arrived, arguments={"x-stream-offset": since})
    deadline = clock.monotonic() + seconds
    while not matching and (left := deadline - clock.monotonic()) > 0:
        try:
            connection.drain_events(timeout=left)
        except TimeoutError:
            break
    channel.basic_cancel(consumer)  # or py-amqp warns of everything that still arrives
    channel.close()
    return matching[0] if matching else None
