"""Lanes: threads that apply events of different subjects at once, while one subject always keeps to the same lane.

A lane has a queue, a connection and transactions of its own, so lanes commit in any order. What the bus may be told is
therefore only how far everything is done without a gap; beyond it, what a dead process had applied is delivered again
and recognised by the inbox.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from django.db import close_old_connections, connections

from bandstand import clock, context
from bandstand.events.backends import Delivery
from bandstand.events.inbox import Inbox
from bandstand.events.partitions import slot_of
from bandstand.lifecycle import name_thread

__all__ = ["Lanes"]


class Lanes:
    """The lanes of one group in one process, one for each inbox. All methods are for the thread that reads the bus.

    *wake* is called from a lane's thread when something was done, or went wrong.
    """

    def __init__(self, inboxes: Sequence[Inbox], *, window: int, wake: Callable[[], None]) -> None:
        self._window = window
        self._wake = wake
        self._changed = threading.Condition()
        self._under_way: deque[int] = deque()
        self._done: set[int] = set()
        self._settled: int | None = None
        self._has_set_aside = False
        self._failure: BaseException | None = None
        self._is_closing = False
        self._lanes = [_Lane(self, inbox, number) for number, inbox in enumerate(inboxes)]
        for lane in self._lanes:
            lane.thread.start()

    @property
    def room(self) -> int:
        """How many deliveries may be handed over now: what is not settled is held in memory."""
        return self._window - len(self._under_way)

    @property
    def is_idle(self) -> bool:
        """Whether all that was handed over is settled."""
        return not self._under_way

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Queue *deliveries*, each in the lane of its subject."""
        with self._changed:
            for delivery in deliveries:
                self._under_way.append(delivery.position)
                self._lanes[slot_of(delivery.message.subject) % len(self._lanes)].queue.append(delivery)
            self._changed.notify_all()

    def settled(self) -> int | None:
        """The position up to which everything is done, if it has moved on. Raises what a lane could not go on after."""
        with self._changed:
            if self._failure is not None:
                raise self._failure
            return self._settle()

    def has_set_aside(self) -> bool:
        """Whether an event has begun to wait for a retry since the last call."""
        with self._changed:
            found, self._has_set_aside = self._has_set_aside, False
            return found

    def busy_seconds(self) -> float:
        """How long the slowest lane has been at the batch it has in hand. For any thread."""
        return max((clock.monotonic() - began for lane in self._lanes if (began := lane.began) is not None), default=0)

    def close(self) -> int | None:
        """Let each lane finish the batch in hand and forget the rest; return what `settled` would."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        for lane in self._lanes:
            lane.thread.join()
        return self._settle()

    def take(self, lane: "_Lane") -> list[Delivery]:
        """Wait for work of a lane, in its thread; nothing when it is to end."""
        with self._changed:
            self._changed.wait_for(lambda: lane.queue or self._is_closing)
            count = 0 if self._is_closing else min(len(lane.queue), lane.inbox.size)
            return [lane.queue.popleft() for _ in range(count)]

    def note(self, batch: Sequence[Delivery], *, set_aside: bool) -> None:
        """Note that a batch is committed."""
        with self._changed:
            self._done.update(each.position for each in batch)
            self._has_set_aside |= set_aside
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Let the reader know that a lane has ended."""
        with self._changed:
            self._failure = self._failure or error
        self._wake()

    def _settle(self) -> int | None:
        before = self._settled
        while self._under_way and self._under_way[0] in self._done:
            self._settled = self._under_way.popleft()
            self._done.remove(self._settled)
        return self._settled if self._settled != before else None


class _Lane:
    def __init__(self, lanes: Lanes, inbox: Inbox, number: int) -> None:
        self.inbox = inbox
        self.queue: deque[Delivery] = deque()
        self.began: float | None = None
        self._lanes = lanes
        self._name = f"lane-{number}"
        self.thread = threading.Thread(target=self._run, name=f"bandstand-{self._name}", daemon=True)

    def _run(self) -> None:
        name_thread(self._name)
        try:
            while batch := self._lanes.take(self):
                self._apply(batch)
        except BaseException as error:  # noqa: BLE001 - the reader raises it in a thread that is supervised
            self._lanes.fail(error)
        finally:
            connections.close_all()

    def _apply(self, batch: Sequence[Delivery]) -> None:
        self.began = clock.monotonic()
        close_old_connections()
        try:
            with context.bound(context.Context()):
                set_aside = self.inbox.apply(batch)
        finally:
            close_old_connections()  # a lane that rests leaves its place in the pool to others
            self.began = None
        self._lanes.note(batch, set_aside=set_aside)
