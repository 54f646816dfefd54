"""The history: a stream that takes every event, beside the queues of the groups."""

from uuid import uuid4

import amqp

from bandstand.events.backends.rabbitmq.connecting import ANSWER_SECONDS, unavailable
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.sending import in_flight
from bandstand.events.backends.rabbitmq.streams import found

__all__ = ["behind", "has_events", "mark", "offset_of"]


def mark(connection: amqp.Connection, options: Options) -> str:
    """Put a message into the history that is no event; return its id."""
    marker = str(uuid4())
    with in_flight(connection) as outgoing:
        outgoing.put(amqp.Message("", delivery_mode=2, message_id=marker), key=options.history)
    return marker


def has_events(connection: amqp.Connection, options: Options) -> bool:
    """Whether anything was ever published, as far as it is kept."""
    marker = mark(connection, options)
    first = found(
        connection,
        options.history,
        since="first",
        seconds=ANSWER_SECONDS,
        is_it=lambda each: "type" in each.properties or each.properties.get("message_id") == marker,
    )
    if first is None:
        raise unavailable("the history could not be read in time")
    return "type" in first.properties


def behind(connection: amqp.Connection, options: Options, place: int) -> int:
    """About how many events lie in the history from *place* on, foreign ones included; one at least."""
    last = found(connection, options.history, since="last", seconds=ANSWER_SECONDS)
    return max(1, offset_of(last) - place + 1) if last is not None else 1


def offset_of(message: amqp.Message) -> int:
    """Where in its stream a message lies."""
    return int(message.headers["x-stream-offset"])
