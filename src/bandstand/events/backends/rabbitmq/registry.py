"""Which groups there are, in a stream whose last message is the whole answer: AMQP cannot list queues or bindings."""

import amqp
import msgspec

from bandstand.events.backends.rabbitmq.layout import ensure, exclusively, ready
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.sending import in_flight
from bandstand.events.backends.rabbitmq.streams import found

__all__ = ["Groups", "Registered", "move", "prepare", "read", "write"]

_STREAM = {
    "x-queue-type": "stream",
    "x-max-length-bytes": 5_000_000,
    "x-stream-max-segment-size-bytes": 1_000_000,  # the server drops whole segments, and never the last
}
_EMPTY_SECONDS = 1.0
"""After that nothing was ever written: whoever made the stream died at once."""


class Registered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A group."""

    types: tuple[str, ...]
    place: int | None = None
    """Where in the history it reads on, until it has come to where its queue begins."""


Groups = dict[str, Registered]


def prepare(connection: amqp.Connection, options: Options) -> None:
    """Make the stream exist, with an answer in it."""
    if ready(connection, options.registry) is None:
        with exclusively(connection, options.registry_lock):
            if ensure(connection, options.registry, _STREAM):
                write(connection, options, {})


def read(connection: amqp.Connection, options: Options) -> Groups:
    """Every group by name, as of the last write.

    One write is one chunk of the stream, for each is confirmed before the next: so the last chunk is one message.
    """
    answer = found(connection, options.registry, since="last", seconds=_EMPTY_SECONDS)
    return msgspec.json.decode(answer.body, type=Groups) if answer is not None else {}


def write(connection: amqp.Connection, options: Options, groups: Groups) -> None:
    """Replace the answer; only for whoever holds the registry's lock."""
    with in_flight(connection) as outgoing:
        outgoing.put(amqp.Message(msgspec.json.encode(groups), delivery_mode=2), key=options.registry)


def move(connection: amqp.Connection, options: Options, group: str, place: int | None) -> None:
    """Note how far a group has read the history."""
    with exclusively(connection, options.registry_lock):
        groups = read(connection, options)
        known = groups.get(group)
        if known is not None:
            groups[group] = Registered(types=known.types, place=place)
            write(connection, options, groups)
