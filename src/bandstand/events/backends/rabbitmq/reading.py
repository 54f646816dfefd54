"""Reading for a group: a thread that owns the connection, keeps its heartbeats and a bounded buffer."""

import logging
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import amqp

from bandstand.events.backends.base import BusUnavailable, Delivery, Message, Subscription
from bandstand.events.backends.rabbitmq.asking import answer
from bandstand.events.backends.rabbitmq.connecting import ANSWER_SECONDS, FAILURES, drop, unavailable
from bandstand.events.backends.rabbitmq.options import Options

__all__ = ["RabbitSubscription"]

log = logging.getLogger(__name__)

_TICK_MILLISECONDS = 500
_AT_ONCE = 200
_LEAVE_SECONDS = 10.0


class RabbitSubscription(Subscription):
    """The one reader of a group, on a connection that holds the group's exclusive queue.

    Only the thread uses the connection, so heartbeats go on while handlers work. A position is a delivery tag. Nothing
    is asked for before the first `fetch`: whoever cannot work hands nothing back, which the server would count.
    """

    def __init__(self, connection: amqp.Connection, options: Options, group: str, *, wake: Callable[[], None]) -> None:
        self._connection = connection
        self._options = options
        self._group = group
        self._wake = wake
        self._changed = threading.Condition()
        self._waiting: deque[Delivery] = deque()
        self._received = self._handed = self._acked = self._sent = self._settled = self._to_settle = 0
        self._window = 0
        self._consumer = ""
        self._is_wanted = self._is_stopping = False
        self._failure: BusUnavailable | None = None
        self._channel: amqp.Channel | None = None
        self._bell = _Bell()
        self._thread = threading.Thread(target=self._run, name=f"rabbitmq-{group}", daemon=True)
        self._thread.start()

    def fetch(self, limit: int) -> list[Delivery]:
        """Take from the buffer. Raises BusUnavailable once the connection is lost."""
        with self._changed:
            self._raise_failure()
            if not self._is_wanted:
                self._is_wanted = True
                self._bell.ring()
            found = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
            if found:
                self._handed = found[-1].position
            elif self._received:
                self._bell.ring()
            return found

    def ack(self, position: int) -> None:
        """Remember it; the thread passes it on with the next flush, or when the server is to send more."""
        with self._changed:
            self._acked = max(self._acked, min(position, self._handed))
            if self._is_worth_sending():
                self._bell.ring()

    @property
    def unflushed(self) -> bool:
        """Whether something is acknowledged of which the server has not said that it knows."""
        with self._changed:
            return self._acked > self._settled

    def flush(self) -> None:
        """Have the server take what is acknowledged, and wait until it says so."""
        with self._changed:
            self._raise_failure()
            target = self._to_settle = self._acked
            if self._settled >= target:
                return
            self._bell.ring()
            self._changed.wait_for(lambda: self._settled >= target or self._failure is not None, ANSWER_SECONDS)
            self._raise_failure()
            if self._settled < target:
                raise unavailable("the acknowledgements were not taken in time")

    def close(self) -> None:
        """Flush, give everything else back and let another one read."""
        try:
            if not self._is_stopping:
                self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Give everything back that was not flushed."""
        self._is_stopping = True
        self._bell.ring()
        if self._thread is not threading.current_thread():
            self._thread.join(_LEAVE_SECONDS)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        failure = BusUnavailable(f"the subscription of {self._group!r} is closed")
        try:
            self._answer_questions()
            while not self._is_stopping:
                self._step()
            self._connection.close()
        except BusUnavailable as error:
            failure = error
        except FAILURES as error:
            failure = unavailable(error)
        finally:
            drop(self._connection)
            self._bell.close()
            with self._changed:
                self._failure = failure
                self._changed.notify_all()
            self._wake()

    def _step(self) -> None:
        """Do what other threads asked for, and take what came."""
        if self._is_wanted and self._is_window_too_small():
            self._consume()
        self._pass_on()
        if not self._take():
            self._bell.wait(self._connection.sock, _TICK_MILLISECONDS)
        self._connection.heartbeat_tick()

    def _consume(self) -> None:
        if self._channel is None:
            self._channel = self._connection.channel()
        else:
            self._channel.basic_cancel(self._consumer)  # a consumer keeps the window that it began with
        self._window += self._options.prefetch
        self._channel.basic_qos(0, self._window, a_global=False)
        self._consumer = self._channel.basic_consume(
            self._options.queue(self._group), callback=self._arrived, on_cancel=_gone
        )

    def _is_window_too_small(self) -> bool:
        """Whether the server sends no more because the caller holds everything and acknowledges nothing."""
        return not self._waiting and self._received - self._sent >= self._window

    def _answer_questions(self) -> None:
        channel = self._connection.channel()
        channel.basic_consume(
            self._options.reader(self._group),
            callback=lambda question: answer(channel, question, self._received - self._sent),
            no_ack=True,
        )

    def _pass_on(self) -> None:
        with self._changed:
            acked, is_flushing = self._acked, self._to_settle > self._settled
            is_sent = acked > self._sent and (is_flushing or self._is_worth_sending())
        if self._channel is None:
            return
        if is_sent:
            self._channel.basic_ack(acked, multiple=True)
            self._sent = acked
        if is_flushing:
            # An acknowledgement has no answer; this has one, and a channel does things in order.
            self._channel.basic_qos(0, self._window, a_global=False)
            with self._changed:
                self._settled = self._sent
                self._changed.notify_all()

    def _is_worth_sending(self) -> bool:
        return self._acked - self._sent >= max(1, self._options.prefetch // 4)

    def _take(self) -> bool:
        """Take a bounded number of frames; return whether there may be more."""
        before = self._received
        try:
            for _ in range(_AT_ONCE):
                self._connection.drain_events(timeout=0)
        except TimeoutError:
            return False
        finally:
            if self._received > before:
                self._wake()
        return True

    def _arrived(self, message: amqp.Message) -> None:
        delivery = Delivery(position=message.delivery_tag, message=_event(message))
        with self._changed:
            self._received = delivery.position
            self._waiting.append(delivery)


class _Bell:
    """Wakes the thread from where it waits for the server."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def ring(self) -> None:
        """End a wait; may be called from any thread."""
        with suppress(OSError):  # it rings already, or is closed
            self._theirs.send(b"\0")

    def wait(self, other: socket.socket, milliseconds: int) -> None:
        """Wait for a ring, or until there is something to read from *other*."""
        poll = select.poll()
        for each in (self._ours, other):
            poll.register(each, select.POLLIN)
        poll.poll(milliseconds)
        with suppress(BlockingIOError):
            self._ours.recv(4096)

    def close(self) -> None:
        """Give the sockets back; ringing does nothing from now on."""
        self._ours.close()
        self._theirs.close()


def _gone(_: str) -> None:
    raise unavailable("the queue of the group was deleted")


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
