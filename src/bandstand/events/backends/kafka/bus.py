"""The bus itself: what is published goes to the topic of its service, and groups are Kafka's consumer groups."""

import threading
import weakref
from collections.abc import Collection, Sequence
from datetime import timedelta

from bandstand.events.backends.base import (
    Bus,
    BusUnavailable,
    GroupReport,
    Message,
    Published,
    Waiter,
)
from bandstand.events.backends.batches import fitting
from bandstand.events.backends.kafka.cluster import Cluster
from bandstand.events.backends.kafka.options import Options
from bandstand.events.backends.kafka.reading import Group, KafkaSubscription
from bandstand.events.backends.kafka.registry import Registered, Registry, owner_of, owners
from bandstand.events.backends.kafka.resuming import Bookmarks, Kept
from bandstand.events.backends.kafka.sending import Record, Sender
from bandstand.events.backends.waiters import Waiters

__all__ = ["KafkaBus"]


class KafkaBus(Bus):
    """`kafka://host:port,host:port/?prefix=bandstand&partitions=12`"""

    shares_groups = True
    trims = False

    def __init__(self, url: str) -> None:
        self._options = Options.parsed(url)
        self._cluster = Cluster(self._options)
        self._sender = Sender(self._options)
        self._registry = Registry(self._options, self._cluster, self._sender)
        self._guard = threading.Lock()
        self._waiters = Waiters()
        self._subscriptions: weakref.WeakSet[KafkaSubscription] = weakref.WeakSet()

    def publish(self, messages: Sequence[Message]) -> Published:
        """Send everything at once and wait until all replicas in sync have all of it."""
        taken, refused = fitting(messages)
        for owner in owners([message.type for message in taken]):
            self._ensure(owner)
        reasons = self._sender.send([self._record(message) for message in taken]) if taken else {}
        refused |= {taken[index].event_id: reason for index, reason in reasons.items()}
        accepted = (message.event_id for index, message in enumerate(taken) if index not in reasons)
        return Published(accepted=frozenset(accepted), refused=refused)

    def register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:
        """Write the group's types, and where it begins in topics that it did not read before."""
        known = self._registry.groups().get(group)
        if not types:
            if known is not None:
                self._registry.remove(group)
                self._cluster.forget(group)
            return
        topics = {self._options.topic(owner): self._ensure(owner) for owner in sorted(owners(types))}
        starts = {topic: known.starts[topic] for topic in topics if known is not None and topic in known.starts}
        for topic in topics.keys() - starts.keys():
            places = [(topic, number) for number in range(topics[topic])]
            ends = dict.fromkeys(places, 0) if from_beginning else self._cluster.ends(places)
            starts[topic] = [ends[place] for place in places]
        wanted = Registered(types=tuple(sorted(types)), starts=starts)
        if wanted != known:
            self._registry.write(group, wanted)

    def subscribe(self, group: str) -> KafkaSubscription:
        """Join the consumer group; its partitions arrive when the other members have agreed."""
        return self._joined(group, None)

    def resume(self, group: str, kept: Kept) -> KafkaSubscription:
        """Join it, and begin in each partition at the offset that the group's database has kept."""
        return self._joined(group, kept)

    def _joined(self, group: str, kept: Kept | None) -> KafkaSubscription:
        topics = [self._options.topic(owner) for owner in sorted(owners(self._registered(group).types))]
        about = Group(
            group,
            registered=lambda: self._registered(group),
            bookmarks=Bookmarks(
                kept,
                incarnations=self._cluster.incarnations(topics) if kept else {},
                oldest=self._cluster.beginnings,
            ),
            wake=lambda: self._waiters.wake(group),
        )
        subscription = KafkaSubscription(self._options, about, topics)
        with self._guard:
            self._subscriptions.add(subscription)
        return subscription

    def waiter(self, group: str) -> Waiter:
        """Wait for what the group's subscription in this process reads."""
        return self._waiters.add(group)

    def trim(self, older_than: timedelta) -> int:  # noqa: ARG002 - the topic's retention does it
        """Leave it to the retention of the topics."""
        return 0

    def groups(self) -> list[GroupReport]:
        """Count from each group's committed offsets to the ends of its topics."""
        return [
            GroupReport(name=name, types=registered.types, lag=self._lag(name, registered))
            for name, registered in sorted(self._registry.groups().items())
        ]

    def close(self) -> None:
        """Leave every group and close all connections."""
        with self._guard:
            subscriptions = list(self._subscriptions)
            self._subscriptions.clear()
        for subscription in subscriptions:
            subscription.close()
        self._registry.close()
        self._sender.close()
        self._cluster.close()

    def _registered(self, group: str) -> Registered:
        registered = self._registry.groups().get(group)
        if registered is None:
            raise BusUnavailable(f"the group {group!r} is not registered")
        return registered

    def _ensure(self, owner: str) -> int:
        options = self._options
        return self._cluster.ensure(
            options.topic(owner), partitions=options.partitions, settings=options.topic_settings()
        )

    def _lag(self, group: str, registered: Registered) -> int:
        topics = [self._options.topic(owner) for owner in owners(registered.types)]
        places = [place for topic in topics for place in self._cluster.places(topic)]
        beginnings, ends = self._cluster.beginnings(places), self._cluster.ends(places)
        committed = self._cluster.committed(group, places)
        begun = {place: max(beginnings[place], committed.get(place, 0), registered.start(place)) for place in places}
        return sum(max(0, ends[place] - begun[place]) for place in places)

    def _record(self, message: Message) -> Record:
        return Record(
            topic=self._options.topic(owner_of(message.type)),
            key=message.subject.encode(),
            value=message.body.encode(),
            headers=[("type", message.type), ("event_id", message.event_id)],
        )
