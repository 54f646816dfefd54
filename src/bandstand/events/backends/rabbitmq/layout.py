"""What exists on the server: an exchange, a quorum queue per group, a stream for all, and a queue for dead letters."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import amqp

from bandstand import clock
from bandstand.events.backends.rabbitmq.connecting import ANSWER_SECONDS, unavailable
from bandstand.events.backends.rabbitmq.options import Options

__all__ = [
    "bind",
    "delete",
    "difference",
    "ensure",
    "exclusively",
    "fixed_queues",
    "group_arguments",
    "is_locked",
    "lay_out",
    "ready",
    "take",
    "unbind",
]

Arguments = Mapping[str, object]

_ABSENT = "NOT_FOUND - no "
_QUORUM = {"x-queue-type": "quorum"}
_SEGMENT_BYTES = 100_000_000
_LOCK_PAUSE_SECONDS = 0.02


def lay_out(connection: amqp.Connection, options: Options) -> bool:
    """Make everything exist that is not a group's; return whether the exchange was new, which then has no bindings."""
    for name, arguments in fixed_queues(options).items():
        ensure(connection, name, arguments)
    is_new = not _is_exchange(connection, options.exchange)
    with _channel(connection) as channel:
        if is_new:
            channel.exchange_declare(options.exchange, "topic", durable=True, auto_delete=False)
        channel.queue_bind(options.history, options.exchange, "#")
    return is_new


def fixed_queues(options: Options) -> dict[str, Arguments]:
    """The queues of the bus itself."""
    return {
        options.dead: _QUORUM,
        options.history: {
            "x-queue-type": "stream",
            "x-max-age": options.history_age,
            "x-max-length-bytes": options.history_bytes,
            "x-stream-max-segment-size-bytes": _SEGMENT_BYTES,
        },
    }


def group_arguments(options: Options) -> Arguments:
    """What a group's queue is declared with.

    The server keeps dead letters at least once only of queues that reject, instead of dropping, when they are full.
    """
    return {
        **_QUORUM,
        "x-single-active-consumer": True,
        "x-delivery-limit": options.delivery_limit,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": options.dead,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def ensure(connection: amqp.Connection, queue: str, arguments: Arguments) -> bool:
    """Make a durable queue exist; one that exists stays as it is. Return whether it had to be made."""
    if ready(connection, queue) is not None:
        return False
    with _channel(connection) as channel:
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments=dict(arguments))
    return True


def difference(connection: amqp.Connection, queue: str, arguments: Arguments) -> str | None:
    """Why a queue that exists is not what these arguments would make; None where it is."""
    try:
        with _channel(connection) as channel:
            channel.queue_declare(queue, durable=True, auto_delete=False, arguments=dict(arguments))
    except amqp.PreconditionFailed as error:
        return str(error)
    return None


def ready(connection: amqp.Connection, queue: str) -> int | None:
    """How many messages of a queue are with no consumer; None where there is no such queue."""
    try:
        with _channel(connection) as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)
    except amqp.NotFound as error:
        if _ABSENT not in str(error):  # it exists, and no node that has it can be reached
            raise
        return None


def bind(connection: amqp.Connection, options: Options, queue: str, types: Collection[str]) -> None:
    """Have events of these types routed to a queue."""
    with _channel(connection) as channel:
        for type_ in sorted(types):
            channel.queue_bind(queue, options.exchange, type_)


def unbind(connection: amqp.Connection, options: Options, queue: str, types: Collection[str]) -> None:
    """Have them routed there no more."""
    with _channel(connection) as channel:
        for type_ in sorted(types):
            channel.queue_unbind(queue, options.exchange, type_)


def delete(connection: amqp.Connection, queue: str) -> None:
    """Delete a queue with all that is in it, if it exists."""
    with _channel(connection) as channel:
        channel.queue_delete(queue)


def take(connection: amqp.Connection, lock: str) -> bool:
    """Hold an exclusive queue until it is deleted or the connection ends; False while another connection does."""
    try:
        with _channel(connection) as channel:
            channel.queue_declare(lock, exclusive=True, auto_delete=False)
    except amqp.ResourceLocked:
        return False
    return True


def is_locked(connection: amqp.Connection, lock: str) -> bool:
    """Whether another connection holds it."""
    try:
        ready(connection, lock)
    except amqp.ResourceLocked:
        return True
    return False


@contextmanager
def exclusively(connection: amqp.Connection, lock: str) -> Iterator[None]:
    """Let no other connection into a block under the same lock. Raises BusUnavailable when that takes too long."""
    deadline = clock.monotonic() + ANSWER_SECONDS
    while not take(connection, lock):
        if clock.monotonic() > deadline:
            raise unavailable(f"another process holds {lock}")
        clock.sleep(_LOCK_PAUSE_SECONDS)
    yield
    delete(connection, lock)  # otherwise it goes with the connection, which a failure ends


def _is_exchange(connection: amqp.Connection, name: str) -> bool:
    try:
        with _channel(connection) as channel:
            channel.exchange_declare(name, "topic", passive=True)
    except amqp.NotFound:
        return False
    return True


@contextmanager
def _channel(connection: amqp.Connection) -> Iterator[amqp.Channel]:
    """A channel for one question: the server closes it by itself when the answer is an error."""
    channel = connection.channel()
    yield channel
    channel.close()
