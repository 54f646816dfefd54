"""Reading for a group: its place in each stream, what is on the way, and how far that is done."""

import itertools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bandstand.events.backends.base import BusUnavailable, Delivery, Message, Subscription
from bandstand.events.backends.redis import scripts
from bandstand.events.backends.redis.connecting import Client, Keys, reaching
from bandstand.events.backends.redis.leases import Leases
from bandstand.events.backends.redis.strays import Strays

__all__ = ["RedisSubscription", "owners_of"]


def owners_of(types: str) -> list[str]:
    """The services that publish *types*, which is as the registry keeps it."""
    return sorted({each.partition(".")[0] for each in types.split()})


@dataclass(slots=True)
class _Mark:
    """An entry of a stream and how many entries lie up to it, which is -1 where nobody knows."""

    id: str
    entries: int

    def after(self, id_: str, count: int) -> "_Mark":
        """The mark *count* entries later."""
        return _Mark(id_, -1 if self.entries < 0 else self.entries + count)


@dataclass(slots=True)
class _Place:
    """How far one stream is read, done, and durably done."""

    read: _Mark
    done: _Mark
    durable: str
    open: deque[tuple[int, _Mark]] = field(default_factory=deque)
    """The deliveries that are not done: position, and how far the stream is done with it."""

    def passed_over(self, mark: _Mark) -> None:
        """Note that up to *mark* the rest is of foreign types: it is done when what was delivered before it is."""
        if not self.open:
            self.done = mark
        else:
            position, _ = self.open.pop()
            self.open.append((position, mark))

    def ack(self, position: int) -> None:
        """Everything up to *position* is done."""
        while self.open and self.open[0][0] <= position:
            _, self.done = self.open.popleft()


class RedisSubscription(Subscription):
    """The lease of a group and a cursor in each of its streams."""

    def __init__(self, client: Client, keys: Keys, group: str, leases: Leases) -> None:
        self._client = client
        self._keys = keys
        self._group = group
        self._leases = leases
        self._lease = keys.lease(group)
        self._positions = itertools.count(1)
        self._types = ""
        self._places: dict[str, _Place] = {}
        self._strays = Strays(client, group)
        self._turn = 0
        self._closed = False
        self._look_up()

    def fetch(self, limit: int) -> list[Delivery]:
        """First what other clients of the group left pending, then on from each place, the streams taking turns."""
        if self._closed:
            raise BusUnavailable(f"the subscription of {self._group!r} is closed")
        with reaching():
            strays = self._strays.fetch(self._types.split(), limit)
            if strays:
                return [self._strays.delivered(next(self._positions), stray) for stray in strays]
            while True:
                deliveries, count = self._read(limit)
                if deliveries or not count:
                    return deliveries

    def ack(self, position: int) -> None:
        """Remember it; `flush` moves the places."""
        self._strays.ack(position)
        for place in self._places.values():
            place.ack(position)

    @property
    def unflushed(self) -> bool:
        """Whether a place has moved."""
        return self._strays.unflushed or any(place.done.id != place.durable for place in self._places.values())

    def flush(self) -> None:
        """Move the places in one step. Raises BusUnavailable when another process reads by now."""
        moved = {stream: place.done for stream, place in self._places.items() if place.done.id != place.durable}
        with reaching():
            self._strays.flush()
            if moved:
                keys = [self._lease, *moved]
                values = [text for mark in moved.values() for text in (mark.id, str(mark.entries))]
                if not self._run(scripts.FLUSH, keys, [self._leases.owner, self._group, *values]):
                    raise self._lost()
        for stream, mark in moved.items():
            self._places[stream].durable = mark.id

    def close(self) -> None:
        """Move the places a last time and give the lease back."""
        try:
            if not self._closed:
                self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Give the lease back; what was not flushed is delivered again."""
        if not self._closed:
            self._closed = True
            self._leases.release(self._lease)

    def _read(self, limit: int) -> tuple[list[Delivery], int]:
        """One page of every stream, and how many entries that were, foreign types included."""
        streams = list(self._places)
        turn = self._turn % max(1, len(streams))
        streams = streams[turn:] + streams[:turn]
        self._turn += 1
        values = [self._leases.owner, self._group, self._types, str(limit)]
        values += [self._places[stream].read.id for stream in streams]
        pages = self._run(scripts.FETCH, [self._lease, self._keys.registry, *streams], values)
        if pages == "lost":
            raise self._lost()
        if pages == "types":
            self._look_up()
            return self._read(limit)
        deliveries = list(self._interleaved(streams, [page[2] for page in pages]))
        for stream, (last, count, _) in zip(streams, pages, strict=True):
            self._move(self._places[stream], last, count)
        return deliveries, sum(count for _, count, _ in pages)

    def _interleaved(self, streams: list[str], pages: list[list[Any]]) -> Iterable[Delivery]:
        for row in itertools.zip_longest(*pages):
            for stream, found in zip(streams, row, strict=True):
                if found is not None:
                    yield self._delivered(self._places[stream], found)

    def _delivered(self, place: _Place, found: list[Any]) -> Delivery:
        ordinal, id_, event_id, type_, subject, body = found
        position = next(self._positions)
        place.open.append((position, place.read.after(id_, ordinal)))
        return Delivery(position=position, message=Message(event_id=event_id, type=type_, subject=subject, body=body))

    def _move(self, place: _Place, last: str, count: int) -> None:
        if count:
            place.read = place.read.after(last, count)
            place.passed_over(place.read)

    def _look_up(self) -> None:
        """Learn the group's types, and the places in streams that are new to it."""
        with reaching():
            types = self._client.hget(self._keys.registry, self._group)
            if not types:
                raise BusUnavailable(f"the group {self._group!r} is not registered")
            streams = [self._keys.stream(owner) for owner in owners_of(str(types))]
            found = self._run(scripts.PLACES, streams, [self._group])
        self._types = str(types)
        places = {}
        for stream, (id_, entries, pending) in zip(streams, found, strict=True):
            mark = _Mark(id_, entries)
            places[stream] = self._places.get(stream) or _Place(read=mark, done=mark, durable=id_)
            if pending and stream not in self._places:
                self._strays.expect(stream)
        self._places = places

    def _lost(self) -> BusUnavailable:
        return BusUnavailable(f"another process reads for {self._group!r} by now: the lease was not renewed in time")

    def _run(self, script: str, keys: list[str], values: list[str]) -> Any:  # the answers of scripts have no type
        return self._client.register_script(script)(keys=keys, args=values)
