"""Reading for a group: a thread that owns the connection and keeps its heartbeats, whatever the handlers do."""

import logging
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import amqp

from bandstand.events.backends.base import BusUnavailable, Delivery, Subscription
from bandstand.events.backends.rabbitmq import registry
from bandstand.events.backends.rabbitmq.asking import answer, questions
from bandstand.events.backends.rabbitmq.buffer import Buffer
from bandstand.events.backends.rabbitmq.connecting import ANSWER_SECONDS, FAILURES, Link, drop, unavailable
from bandstand.events.backends.rabbitmq.history import mark
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.registry import Registered
from bandstand.events.backends.rabbitmq.source import Source
from bandstand.events.backends.rabbitmq.wire import Inlet

__all__ = ["Group", "RabbitSubscription"]

T = TypeVar("T")

log = logging.getLogger(__name__)

_TICK_MILLISECONDS = 500
_AT_ONCE = 600
_LEAVE_SECONDS = 10.0


class Group:
    """What a subscription needs of its bus: what is registered, how to wake its reader, and a way to tell things."""

    def __init__(self, name: str, *, registered: Registered, wake: Callable[[], None], telling: Link) -> None:
        self.name = name
        self.registered = registered
        self.wake = wake
        self.telling = telling


class RabbitSubscription(Subscription):
    """The one reader of a group, on a connection that holds the group's exclusive queue.

    Only the thread uses the connection. It publishes nothing there: a server short of memory would stop reading from
    it, acknowledgements included. Nothing is asked for before the first `fetch`: whoever cannot work hands nothing
    back, which the server would count.
    """

    def __init__(self, connection: amqp.Connection, options: Options, group: Group) -> None:
        self._connection = connection
        self._options = options
        self._group = group
        self._buffer = Buffer(group.registered.place)
        self._place = group.registered.place
        self._source: Source | None = None
        self._changed = threading.Condition()
        self._sent = self._settled = self._to_settle = 0
        self._is_wanted = self._is_stopping = False
        self._failure: BusUnavailable | None = None
        self._inlet = Inlet(connection)
        self._bell = _Bell()
        self._thread = threading.Thread(target=self._run, name=f"rabbitmq-{group.name}", daemon=True)
        self._thread.start()

    def fetch(self, limit: int) -> list[Delivery]:
        """Take from the buffer. Raises BusUnavailable once the connection is lost."""
        self._raise_failure()
        found = self._buffer.hand_out(limit)
        if not found and (not self._is_wanted or self._is_window_full()):
            self._is_wanted = True
            self._bell.ring()
        return found

    @property
    def group(self) -> str:
        """What it reads for."""
        return self._group.name

    @property
    def is_open(self) -> bool:
        """Whether it is the reader still."""
        return self._failure is None

    @property
    def holding(self) -> int:
        """How many events the server has sent and not taken back as done."""
        return self._buffer.received - self._sent

    def ack(self, position: int) -> None:
        """Remember it; the thread passes it on with the next flush, or when the server is to send more."""
        self._buffer.ack(position)
        if self._is_worth_sending():
            self._bell.ring()

    @property
    def unflushed(self) -> bool:
        """Whether something is acknowledged of which the server has not said that it knows."""
        return self._buffer.acked > self._settled

    def flush(self) -> None:
        """Have the server take what is acknowledged, and wait until it says so."""
        self._raise_failure()
        with self._changed:
            target = self._to_settle = self._buffer.acked
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
        failure = BusUnavailable(f"the subscription of {self._group.name!r} is closed")
        try:
            questions(self._connection, self._options, self._group.name, self._answer)
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
            self._group.wake()

    def _step(self) -> None:
        """Do what other threads asked for, and take what came."""
        if self._is_wanted:
            self._read_on()
        if not self._take():
            self._bell.wait(self._connection.sock, _TICK_MILLISECONDS)
        self._connection.heartbeat_tick()

    def _read_on(self) -> None:
        if self._source is None:
            registered, buffer = self._group.registered, self._buffer
            self._source = Source(
                self._connection, self._options, self._group.name, registered=registered, buffer=buffer
            )
        elif self._is_window_full():
            self._source.widen()
        self._source.go_on(partial(self._tell, mark))
        self._pass_on(self._source)

    def _is_window_full(self) -> bool:
        """Whether the server sends no more because the caller holds everything and acknowledges nothing."""
        return self._source is not None and self._buffer.is_empty and self.holding >= self._source.window

    def _is_worth_sending(self) -> bool:
        return self._buffer.acked - self._sent >= max(1, self._options.prefetch // 4)

    def _pass_on(self, source: Source) -> None:
        acked, is_flushing = self._buffer.acked, self._to_settle > self._settled
        if is_flushing and (place := self._buffer.place()) != self._place:
            self._tell(partial(registry.move, group=self._group.name, place=place))
            self._place = place
        if acked > self._sent and (is_flushing or self._is_worth_sending()):
            source.acknowledge(acked)
            self._sent = acked
        if is_flushing:
            source.settle()
            with self._changed:
                self._settled = self._sent
                self._changed.notify_all()

    def _take(self) -> bool:
        """Take a bounded number of frames; return whether there may be more."""
        before, taken = self._buffer.received, 0
        while taken < _AT_ONCE and self._inlet.has_more():
            self._connection.blocking_read()
            taken += 1
        if self._buffer.received > before:
            self._group.wake()
        return taken == _AT_ONCE

    def _answer(self, question: amqp.Message) -> None:
        try:
            self._tell(partial(answer, question=question, count=self.holding))
        except BusUnavailable as error:  # whoever asked will notice; reading goes on
            log.debug("bus.lag_untold", extra={"group": self._group.name, "error": str(error)})

    def _tell(self, publish: Callable[[amqp.Connection, Options], T]) -> T:
        with self._group.telling.connection() as connection:
            return publish(connection, self._options)


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
