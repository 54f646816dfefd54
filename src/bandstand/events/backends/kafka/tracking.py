"""From offsets of partitions to positions of one subscription, and back. Knows nothing of Kafka's client."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bandstand.events.backends.base import Delivery, Message

__all__ = ["Place", "Tracker"]

Place = tuple[str, int]
"""A topic and one of its partitions."""


@dataclass(slots=True)
class _Held:
    """The time between getting a partition and losing it; a partition that comes back is held anew."""

    done: int
    """The offset to read on from."""
    committed: int
    kept: int | None = None
    """As `done`, as far as the group's database knows."""
    last: "_Entry | None" = None
    """The newest delivery that is not acknowledged."""


@dataclass(slots=True)
class _Entry:
    delivery: Delivery
    place: Place
    held: _Held
    after: int
    """The offset behind this event and behind the foreign ones that follow it."""


class Tracker:
    """What was read, handed out and acknowledged. Not thread-safe."""

    def __init__(self) -> None:
        self._held: dict[Place, _Held] = {}
        self._waiting: deque[_Entry] = deque()
        self._handed: deque[_Entry] = deque()
        self._position = 0
        self.waiting_bytes = 0

    @property
    def waiting(self) -> int:
        """How many deliveries have been read and not handed out."""
        return len(self._waiting)

    @property
    def unacknowledged(self) -> bool:
        """Whether something was handed out and is not acknowledged."""
        return bool(self._handed)

    def hold(self, starts: Mapping[Place, int], committed: Mapping[Place, int | None]) -> None:
        """Note that these partitions are ours from now on, where each is read from and what Kafka knows of it."""
        for place, start in starts.items():
            known = committed.get(place)
            self._held[place] = _Held(done=start, committed=start if known is None else known)

    def add(self, place: Place, *, offset: int, message: Message) -> None:
        """Take what was read from a partition; what came from one that is ours no more is forgotten."""
        held = self._held.get(place)
        if held is None:
            return
        self._position += 1
        delivery = Delivery(position=self._position, message=message)
        held.last = _Entry(delivery=delivery, place=place, held=held, after=offset + 1)
        self._waiting.append(held.last)
        self.waiting_bytes += len(message.body)

    def pass_over(self, place: Place, *, offset: int) -> None:
        """Note an event of a type that the group does not listen to: done as soon as what is before it is done."""
        held = self._held.get(place)
        if held is None:
            return
        if held.last is None:
            held.done = offset + 1
        else:
            held.last.after = offset + 1

    def hand_out(self, limit: int) -> list[Delivery]:
        """The next deliveries."""
        entries = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
        self._handed.extend(entries)
        self.waiting_bytes -= sum(len(entry.delivery.message.body) for entry in entries)
        return [entry.delivery for entry in entries]

    def ack(self, position: int) -> None:
        """Note as done what was handed out up to *position*, except what another process reads by now."""
        while self._handed and self._handed[0].delivery.position <= position:
            entry = self._handed.popleft()
            entry.held.done = entry.after
            if entry.held.last is entry:
                entry.held.last = None
        for held in self._held.values():
            held.kept = held.done

    def bookmarks(self, position: int) -> dict[Place, int]:
        """Where to read on once everything up to *position* is done, as far as that moved since the last `ack`."""
        found = {place: held.done for place, held in self._held.items() if held.done != held.kept}
        found |= {entry.place: entry.after for entry in self._handed if entry.delivery.position <= position}
        return found

    def uncommitted(self, places: Collection[Place] | None = None) -> dict[Place, int]:
        """Where to read on, for partitions whose acknowledgements are not durable."""
        chosen = self._held if places is None else {place: self._held[place] for place in places if place in self._held}
        return {place: held.done for place, held in chosen.items() if held.done != held.committed}

    def committed(self, offsets: dict[Place, int]) -> None:
        """Note that these are durable."""
        for place, offset in offsets.items():
            if place in self._held:
                self._held[place].committed = offset

    def release(self, places: Collection[Place]) -> None:
        """Forget partitions that go to another process, with what was read from them and not handed out."""
        gone = {id(self._held.pop(place)) for place in places if place in self._held}
        kept = [entry for entry in self._waiting if id(entry.held) not in gone]
        self._waiting = deque(kept)
        self.waiting_bytes = sum(len(entry.delivery.message.body) for entry in kept)
