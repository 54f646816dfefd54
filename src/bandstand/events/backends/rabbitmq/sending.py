"""Publishing with confirms: everything of a batch in flight together, then one wait for all of them."""

from collections.abc import Sequence
from itertools import count

import amqp
from amqp.spec import Basic

from bandstand import clock
from bandstand.events.backends.base import Message
from bandstand.events.backends.rabbitmq.connecting import ANSWER_SECONDS, unavailable
from bandstand.events.backends.rabbitmq.options import Options

__all__ = ["Outgoing", "send"]

_PERSISTENT = 2


def send(connection: amqp.Connection, options: Options, messages: Sequence[Message]) -> None:
    """Store *messages* durably, in order. Raises BusUnavailable, and then any part may have been stored."""
    outgoing = Outgoing(connection)
    for message in messages:
        properties = {
            "delivery_mode": _PERSISTENT,
            "message_id": message.event_id,
            "type": message.type,
            "application_headers": {"subject": message.subject},
        }
        outgoing.put(amqp.Message(message.body.encode(), **properties), to=options.exchange, key=message.type)
    outgoing.settle()


class Outgoing:
    """A channel in confirm mode, for one batch."""

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
        """Wait until all of them are stored. Raises BusUnavailable when one is not, or not in time."""
        deadline = clock.monotonic() + ANSWER_SECONDS
        while self._open:
            left = deadline - clock.monotonic()
            if left <= 0:
                raise unavailable(f"{len(self._open)} messages were not confirmed in time")
            self._connection.drain_events(timeout=left)
        self._channel.close()

    def _confirmed(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._open = {each for each in self._open if each > tag}
        else:
            self._open.discard(tag)


def _rejected(_: int, __: bool) -> None:
    raise unavailable("a queue rejected a message")


def _returned(_: Exception, exchange: str, key: str, __: amqp.Message) -> None:
    raise unavailable(f"nothing takes {key!r} from the exchange {exchange!r}")
