"""Which groups there are, in a compacted topic: one record per group, the newest counts."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, replace

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from bandstand import clock
from bandstand.events.backends.kafka.cluster import Cluster
from bandstand.events.backends.kafka.failures import as_unavailable, unavailable
from bandstand.events.backends.kafka.options import Options
from bandstand.events.backends.kafka.sending import Record, Sender
from bandstand.events.backends.kafka.tracking import Place

__all__ = ["Registered", "Registry"]

_SECONDS = 5.0
_PARTITION = 0
_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A group: the types it listens to, and where in each topic it began."""

    types: tuple[str, ...]
    starts: dict[str, list[int]]
    """By topic the offset of each partition. A partition that was added later is read from its beginning."""

    def start(self, place: Place) -> int:
        """The first offset of a partition that concerns the group."""
        offsets = self.starts.get(place[0], [])
        return offsets[place[1]] if place[1] < len(offsets) else 0

    def with_earlier(self, other: "Registered | None") -> "Registered":
        """The same with the earlier of both starts, so that of two registrations at once no event falls between."""
        if other is None:
            return self
        starts = {
            topic: [min(pair) for pair in zip(offsets, other.starts.get(topic, offsets), strict=False)]
            for topic, offsets in self.starts.items()
        }
        return replace(self, starts=starts)


class Registry:
    """Reads the topic on from where it last stood; every answer is as new as the topic."""

    def __init__(self, options: Options, cluster: Cluster, sender: Sender) -> None:
        self._options = options
        self._cluster = cluster
        self._sender = sender
        self._guard = threading.Lock()
        self._consumer: Consumer | None = None
        self._position = 0
        self._groups: dict[str, Registered] = {}

    def groups(self) -> dict[str, Registered]:
        """Every group by name."""
        with self._guard:
            place = (self._options.registry, _PARTITION)
            self._ensure()
            end = self._cluster.ends([place])[place]
            if self._position < end:
                with as_unavailable():
                    self._read(self._opened(), end)
            return dict(self._groups)

    def write(self, group: str, registered: Registered) -> None:
        """Store a group; another process may be doing the same at this moment."""
        self._send(group, msgspec.json.encode(registered))
        folded = self.groups().get(group)
        if folded is not None and folded != registered:
            self._send(group, msgspec.json.encode(folded))

    def remove(self, group: str) -> None:
        """Forget a group."""
        self._send(group, None)

    def close(self) -> None:
        """Give the connections back."""
        with self._guard:
            consumer, self._consumer = self._consumer, None
            self._position, self._groups = 0, {}
        if consumer is not None:
            consumer.close()

    def _opened(self) -> Consumer:
        if self._consumer is None:
            settings = self._options.client() | {
                "group.id": self._options.group_id("registry"),  # asked for by the client, never used: nothing joins
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
            self._consumer = Consumer(settings)
        return self._consumer

    def _read(self, consumer: Consumer, end: int) -> None:
        """Fetch up to *end* and no more: between two questions nothing is asked of the broker."""
        consumer.assign([TopicPartition(self._options.registry, _PARTITION, self._position)])
        deadline = clock.monotonic() + _SECONDS
        while self._position < end:
            if clock.monotonic() > deadline:
                raise unavailable("the topic of the groups could not be read in time")
            first = consumer.poll(0.1)
            for message in [first, *consumer.consume(_AT_ONCE, 0)] if first else ():
                self._take(message)
        consumer.unassign()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's spelling
            raise unavailable(error)
        offset = message.offset() or 0
        if error is not None:  # the end, which may lie behind records that compaction removed
            self._position = max(self._position, offset)
            return
        self._position = offset + 1
        group, value = (message.key() or b"").decode(), message.value()
        if value is None:
            self._groups.pop(group, None)
            return
        registered = msgspec.json.decode(value, type=Registered)
        self._groups[group] = registered.with_earlier(self._groups.get(group))

    def _send(self, group: str, value: bytes | None) -> None:
        self._ensure()
        topic = self._options.registry
        refused = self._sender.send([Record(topic=topic, key=group.encode(), value=value, partition=_PARTITION)])
        if refused:
            raise unavailable(f"the group {group!r} was refused: {refused[0]}")

    def _ensure(self) -> None:
        self._cluster.ensure(self._options.registry, partitions=1, settings={"cleanup.policy": "compact"})


def owners(types: Collection[str]) -> set[str]:
    """The services that publish these types."""
    return {owner_of(type_) for type_ in types}


def owner_of(type_: str) -> str:
    """The service that publishes a type: what is before the first dot."""
    return type_.partition(".")[0]
