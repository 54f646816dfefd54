"""Publishing with confirms: everything of a batch in flight together, then one wait for all of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import amqp
from amqp.spec import Basic

from bandstand import clock
from bandstand.events.backends.base import Message
from bandstand.events.backends.rabbitmq.connecting import ANSWER_SECONDS, unavailable
from bandstand.events.backends.rabbitmq.options import Options

__all__ = ["Outgoing", "in_flight", "send"]

_PERSISTENT = 2


def send(connection: amqp.Connection, options: Options, messages: Sequence[Message]) -> None:
    """Store *messages* durably, in order. Raises BusUnavailable, and then any part may have been stored."""
    with in_flight(connection) as outgoing:
        for message in messages:
            properties = {
                "delivery_mode": _PERSISTENT,
                "message_id": message.event_id,
                "type": message.type,
                "application_headers": {"subject": message.subject},
            }
            outgoing.put(amqp.Message(message.body.encode(), **properties), to=options.exchange, key=message.type)


@contextmanager
def in_flight(connection: amqp.Connection) -> "Iterator[Outgoing]":
    """Send together what the block puts, and wait until all of it is stored.

    Raises BusUnavailable when one is not, or not in time; the connection is of no more use then.
    """
    outgoing: Outgoing | None = getattr(connection, "outgoing", None)
    if outgoing is None:
        outgoing = connection.outgoing = Outgoing(connection)
    connection.outlet.hold()
    yield outgoing
    connection.outlet.release()
    outgoing.settle()


class Outgoing:
    """A channel in confirm mode, kept as long as its connection: to open one takes as long as to publish."""

    def __init__(self, connection: amqp.Connection) -> None:
        self._connection = connection
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._confirmed)
        self._channel.events["basic_nack"].add(_rejected)
        self._channel.events["basic_return"].add(_returned)
        self._tags = count(1)
        self._open: set[int] = set()

    def put(self, message: amqp.Message, *, to: str = "", key: str, is_mandatory: bool = True) -> None:
        """Put a message on its way; without an exchange, to the queue *key*. A mandatory one must reach a queue."""
        # `basic_publish` would look for news on the socket before each message.
        self._channel.send_method(Basic.Publish, "Bssbb", (0, to, key, is_mandatory, False), message)
        self._open.add(next(self._tags))

    def settle(self) -> None:
        """Wait until all of them are stored."""
        deadline = clock.monotonic() + ANSWER_SECONDS
        while self._open:
            left = deadline - clock.monotonic()
            if left <= 0:
                raise unavailable(f"{len(self._open)} messages were not confirmed in time")
            self._connection.drain_events(timeout=left)

    def _confirmed(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._open = {each for each in self._open if each > tag}
        else:
            self._open.discard(tag)


def _rejected(_: int, __: bool) -> None:
    raise unavailable("a queue rejected a message")


def _returned(_: Exception, exchange: str, key: str, __: amqp.Message) -> None:
    raise unavailable(f"nothing takes {key!r} from the exchange {exchange!r}")
