"""Which groups there are, in a stream whose last message is the whole answer: AMQP cannot list queues or bindings."""

import amqp
import msgspec

from bandstand import clock
from bandstand.events.backends.rabbitmq.layout import ensure, exclusively, ready
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.sending import Outgoing

__all__ = ["Groups", "Registered", "prepare", "read", "write"]

_STREAM = {"x-queue-type": "stream", "x-max-length-bytes": 1_000_000}
_EMPTY_SECONDS = 1.0
"""After that nothing was ever written: whoever made the stream died at once."""


class Registered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A group."""

    types: tuple[str, ...]


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
    found: list[amqp.Message] = []
    channel = connection.channel()
    channel.basic_qos(0, 1, a_global=False)
    channel.basic_consume(options.registry, callback=found.append, arguments={"x-stream-offset": "last"})
    deadline = clock.monotonic() + _EMPTY_SECONDS
    while not found and (left := deadline - clock.monotonic()) > 0:
        try:
            connection.drain_events(timeout=left)
        except TimeoutError:
            break
    channel.close()
    return msgspec.json.decode(found[0].body, type=Groups) if found else {}


def write(connection: amqp.Connection, options: Options, groups: Groups) -> None:
    """Replace the answer; only for whoever holds the registry's lock."""
    outgoing = Outgoing(connection)
    outgoing.put(amqp.Message(msgspec.json.encode(groups), delivery_mode=2), key=options.registry)
    outgoing.settle()
