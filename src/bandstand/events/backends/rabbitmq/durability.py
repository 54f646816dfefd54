"""What about a server speaks against the promise of `publish`."""

import re

import amqp

from bandstand.events.backends.rabbitmq import layout, registry
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.sending import in_flight

__all__ = ["doubts"]

_OLDEST = (3, 10)


def doubts(connection: amqp.Connection, options: Options) -> list[str]:
    """Name them in sentences. Raises BusUnavailable when the server takes nothing, as for want of memory or disk."""
    with in_flight(connection) as outgoing:
        outgoing.put(amqp.Message(""), key=f"{options.prefix}.nobody", is_mandatory=False)
    return [*_of_version(connection), *_of_queues(connection, options), *_of_dead_letters(connection, options)]


def _of_version(connection: amqp.Connection) -> list[str]:
    text = str(connection.server_properties.get("version", ""))
    version = tuple(int(number) for number in re.findall(r"\d+", text)[:2])
    if version >= _OLDEST:
        return []
    return [f"the server is RabbitMQ {text or 'of an unknown version'}: before 3.10 dead letters may get lost"]


def _of_queues(connection: amqp.Connection, options: Options) -> list[str]:
    wanted = dict(layout.fixed_queues(options))
    for group in registry.read(connection, options):
        wanted[options.queue(group)] = layout.group_arguments(options)
    found = [layout.difference(connection, queue, arguments) for queue, arguments in wanted.items()]
    return [f"a queue is not as this service would make it: {difference}" for difference in found if difference]


def _of_dead_letters(connection: amqp.Connection, options: Options) -> list[str]:
    count = layout.ready(connection, options.dead)
    if not count:
        return []
    return [f"{count} events were handed out too often and lie in the queue {options.dead}"]
