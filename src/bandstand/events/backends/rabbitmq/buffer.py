"""What a reader has received, handed out and been told is done, by delivery tags. Knows nothing of AMQP's client."""

import threading
from collections import deque

from bandstand.events.backends.base import Delivery, Message

__all__ = ["Buffer"]


class Buffer:
    """Thread-safe. A position is a delivery tag; what is passed over is done as soon as all before it is."""

    def __init__(self, place: int | None = None) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[Delivery] = deque()
        self._places: deque[tuple[int, int | None]] = deque()
        self._place = place
        self._received = self._newest = self._handed = self._acked = 0

    @property
    def received(self) -> int:
        """The newest tag."""
        return self._received

    @property
    def acked(self) -> int:
        """Everything up to this tag is done."""
        return self._acked

    @property
    def is_empty(self) -> bool:
        """Whether everything was handed out."""
        return not self._waiting

    def add(self, tag: int, message: Message) -> None:
        """Take a delivery."""
        with self._guard:
            self._received = self._newest = tag
            self._waiting.append(Delivery(position=tag, message=message))

    def pass_over(self, tag: int) -> None:
        """Take a delivery that is nothing for the group."""
        with self._guard:
            self._received = tag
            if self._acked >= self._newest:
                self._acked = tag

    def note(self, tag: int, place: int | None) -> None:
        """Once *tag* is done, the history is to be read from *place* on; None where it is over."""
        with self._guard:
            self._places.append((tag, place))

    def hand_out(self, limit: int) -> list[Delivery]:
        """The next deliveries."""
        with self._guard:
            found = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
            if found:
                self._handed = found[-1].position
            return found

    def ack(self, position: int) -> None:
        """Note what is done, of what was handed out."""
        with self._guard:
            done = min(position, self._handed)
            self._acked = max(self._acked, self._received if done >= self._newest else done)

    def place(self) -> int | None:
        """Where in the history a successor has to read on; None where it need not."""
        with self._guard:
            while self._places and self._places[0][0] <= self._acked:
                _, self._place = self._places.popleft()
            return self._place
