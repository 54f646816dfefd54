"""Questions to the cluster and changes of it that are not events: topics, offsets, groups."""

import threading
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from bandstand import clock
from bandstand.events.backends.kafka.failures import as_unavailable, reported, unavailable
from bandstand.events.backends.kafka.options import Options
from bandstand.events.backends.kafka.tracking import Place

__all__ = ["Cluster"]

T = TypeVar("T")

_SECONDS = 5.0

_MAY_NOT_CREATE = {
    KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001 - the library spells its own errors so
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.POLICY_VIOLATION,
}


class Cluster:
    """An administrative client, opened when it is first needed."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._guard = threading.Lock()
        self._client: AdminClient | None = None
        self._partitions: dict[str, int] = {}

    def ensure(self, topic: str, *, partitions: int, settings: Mapping[str, str]) -> int:
        """Make *topic* exist and return how many partitions it has.

        Where we may not create topics, the cluster is asked for it by name, which creates it if it does so by itself.
        """
        known = self._partitions.get(topic)
        if known is not None:
            return known
        with as_unavailable():
            if topic not in self._admin().list_topics(timeout=_SECONDS).topics:
                self._create(topic, partitions=partitions, settings=settings)
            count = self._partitions[topic] = self._appeared(topic)
            return count

    def places(self, topic: str) -> list[Place]:
        """The partitions of *topic* as of now; none where it is gone."""
        with as_unavailable():
            found = self._admin().list_topics(timeout=_SECONDS).topics.get(topic)
        return [(topic, number) for number in sorted(found.partitions)] if found else []

    def ends(self, places: Collection[Place]) -> dict[Place, int]:
        """The offset that the next event of each partition will have."""
        return self._offsets(places, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # confluent-kafka's

    def beginnings(self, places: Collection[Place]) -> dict[Place, int]:
        """The oldest offset that each partition still has."""
        return self._offsets(places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # confluent-kafka's

    def committed(self, group: str, places: Collection[Place]) -> dict[Place, int]:
        """Where the group reads on, for those partitions where it has committed."""
        if not places:
            return {}
        asked = ConsumerGroupTopicPartitions(self._options.group_id(group), [TopicPartition(*each) for each in places])
        with as_unavailable():
            (future,) = self._admin().list_consumer_group_offsets([asked], request_timeout=_SECONDS).values()
            found = _result(future).topic_partitions
        return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}

    def incarnations(self, topics: Collection[str]) -> dict[str, str]:
        """What tells each topic from an earlier one of the same name; nothing where the brokers do not number them."""
        with as_unavailable():
            asked = self._admin().describe_topics(TopicCollection(list(topics)), request_timeout=_SECONDS)
            return {topic: str(_result(future).topic_id) for topic, future in asked.items()}

    def forget(self, group: str) -> None:
        """Delete what the group committed. Raises BusUnavailable while a process reads for it.

        Where the cluster knows no such request, it stays until it expires.
        """
        if not self._administers_groups():
            return
        (future,) = (
            self._admin().delete_consumer_groups([self._options.group_id(group)], request_timeout=_SECONDS).values()
        )
        try:
            _result(future)
        except KafkaException as error:
            cause = reported(error)
            if cause is None or cause.code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise unavailable(error) from error

    def close(self) -> None:
        """Give the connections back."""
        with self._guard:
            self._client = None
            self._partitions = {}

    def _admin(self) -> AdminClient:
        with self._guard:
            if self._client is None:
                self._client = AdminClient(self._options.client())
            return self._client

    def _administers_groups(self) -> bool:
        """Ask for what any Kafka can do with groups.

        To ask for the deletion itself would be the end of the process: librdkafka frees such a request twice where the
        broker does not know it (confluent-kafka-python issue 1640).
        """
        with as_unavailable():
            errors = _result(self._admin().list_consumer_groups(request_timeout=_SECONDS)).errors or ()
        return all(each.code() != KafkaError._UNSUPPORTED_FEATURE for each in errors)  # noqa: SLF001 - the library's spelling

    def _create(self, topic: str, *, partitions: int, settings: Mapping[str, str]) -> None:
        wanted = NewTopic(
            topic, num_partitions=partitions, replication_factor=self._options.replication, config=dict(settings)
        )
        (future,) = self._admin().create_topics([wanted], request_timeout=_SECONDS).values()
        try:
            _result(future)
        except KafkaException as error:
            cause = reported(error)
            code = cause.code() if cause else None
            if code in _MAY_NOT_CREATE:
                self._admin().list_topics(topic=topic, timeout=_SECONDS)
            elif code != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    def _appeared(self, topic: str) -> int:
        deadline = clock.monotonic() + _SECONDS
        while clock.monotonic() < deadline:
            found = self._admin().list_topics(timeout=_SECONDS).topics.get(topic)
            if found is not None and found.error is None and found.partitions:
                return len(found.partitions)
            clock.sleep(0.05)
        raise unavailable(f"the topic {topic} does not exist and cannot be created")

    def _offsets(self, places: Collection[Place], which: OffsetSpec) -> dict[Place, int]:
        if not places:
            return {}
        asked = {TopicPartition(*place): which for place in places}
        with as_unavailable():
            futures = self._admin().list_offsets(asked, request_timeout=_SECONDS)
            return {(each.topic, each.partition): _result(future).offset for each, future in futures.items()}


def _result(future: "Future[T]") -> T:
    return future.result(_SECONDS + 1)
