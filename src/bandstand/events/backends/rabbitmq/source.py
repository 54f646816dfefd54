"""What a reader is fed from: the history up to a marker, where its group has to read that, and then its queue."""

from collections.abc import Callable

import amqp

from bandstand import clock
from bandstand.events.backends.base import Message
from bandstand.events.backends.rabbitmq.buffer import Buffer
from bandstand.events.backends.rabbitmq.connecting import unavailable
from bandstand.events.backends.rabbitmq.history import offset_of
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.registry import Registered

__all__ = ["Source"]

_SETTLED_SECONDS = 1.0
"""What was routed just before the group's queue was bound is in the history by then."""


class Source:
    """One channel, so that delivery tags go on from the history to the queue. For one thread.

    The queue was bound before the history is read: what lies behind the marker is in the queue, and what was published
    in between comes twice.
    """

    def __init__(
        self, connection: amqp.Connection, options: Options, group: str, *, registered: Registered, buffer: Buffer
    ) -> None:
        self._options = options
        self._queue = options.queue(group)
        self._types = frozenset(registered.types)
        self._place = registered.place
        self._buffer = buffer
        self._marker = ""
        self._is_marker_reached = False
        self._mark_at = clock.monotonic() + _SETTLED_SECONDS
        self._consumer = ""
        self.window = 0
        self._channel = connection.channel()
        self.widen()

    def widen(self) -> None:
        """Let more be on the way."""
        self.window += self._options.prefetch
        self._consume()

    def go_on(self, mark: Callable[[], str]) -> None:
        """Have the end of the history marked when it is time to, and go over to the queue behind the marker."""
        if self._is_marker_reached:
            self._place, self._is_marker_reached = None, False
            self._consume()
        elif self._place is not None and not self._marker and clock.monotonic() >= self._mark_at:
            self._marker = mark()

    def acknowledge(self, tag: int) -> None:
        """Tell the server that everything up to *tag* is done."""
        self._channel.basic_ack(tag, multiple=True)

    def settle(self) -> None:
        """Wait until the server has taken what it was told: this has an answer, and a channel does things in order."""
        self._channel.basic_qos(0, self.window, a_global=False)

    def _consume(self) -> None:
        """Begin anew: a consumer keeps the queue and the window that it began with."""
        if self._consumer:
            self._channel.basic_cancel(self._consumer)
        self._channel.basic_qos(0, self.window, a_global=False)
        if self._place is None:
            queue, callback, arguments = self._queue, self._from_queue, {}
        else:
            queue, callback = self._options.history, self._from_history
            arguments = {"x-stream-offset": self._place}
        self._consumer = self._channel.basic_consume(queue, callback=callback, on_cancel=_gone, arguments=arguments)

    def _from_queue(self, message: amqp.Message) -> None:
        self._buffer.add(message.delivery_tag, _event(message))

    def _from_history(self, message: amqp.Message) -> None:
        tag, place = message.delivery_tag, offset_of(message) + 1
        is_behind = self._is_marker_reached or self._place is None
        if self._marker and message.properties.get("message_id") == self._marker:
            self._is_marker_reached = True
            self._buffer.note(tag, None)
        elif not is_behind:
            self._place = place
            self._buffer.note(tag, place)
        if not is_behind and message.properties.get("type") in self._types:
            self._buffer.add(tag, _event(message))
        else:
            self._buffer.pass_over(tag)


def _gone(_: str) -> None:
    raise unavailable("a queue of the group was deleted")


def _event(message: amqp.Message) -> Message:
    properties = message.properties
    return Message(
        event_id=_text(properties.get("message_id")),
        type=_text(properties.get("type")),
        subject=_text(properties.get("application_headers", {}).get("subject")),
        body=_text(message.body),
    )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
