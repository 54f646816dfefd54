"""Reading for a group: a thread that keeps the membership and a bounded buffer, whatever the handlers do."""

import threading
from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from bandstand.events.backends.base import BusUnavailable, Delivery, Subscription
from bandstand.events.backends.base import Message as Event
from bandstand.events.backends.kafka.failures import unavailable
from bandstand.events.backends.kafka.options import Options, log
from bandstand.events.backends.kafka.registry import Registered
from bandstand.events.backends.kafka.resuming import Bookmarks
from bandstand.events.backends.kafka.tracking import Place, Tracker

__all__ = ["Group", "KafkaSubscription"]

_BUFFERED, _BUFFERED_BYTES = 1_000, 16_777_216
_AT_ONCE = 200
_POLL_SECONDS = 0.1
_BUSY_POLL_SECONDS = 0.01
_FULL_SECONDS = 0.5
_ANSWER_SECONDS = 5.0
_LEAVE_SECONDS = 10.0

_HARMLESS = {KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._AUTO_OFFSET_RESET}  # noqa: SLF001 - the library's spelling
_REBALANCING = {KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID}


class Group:
    """What a subscription needs of its bus: the name, what is registered, its bookmarks, how to wake its reader."""

    def __init__(
        self, name: str, *, registered: Callable[[], Registered], bookmarks: Bookmarks, wake: Callable[[], None]
    ) -> None:
        self.name = name
        self.registered = registered
        self.bookmarks = bookmarks
        self.wake = wake


class KafkaSubscription(Subscription):
    """One member of a consumer group. The partitions it reads come and go with the other members.

    Only the thread calls the client: it lets in one call at a time and is not fair, so that a call from elsewhere
    could wait for ever behind the polling.
    """

    def __init__(self, options: Options, group: Group, topics: list[str]) -> None:
        self._group = group
        self._registered = group.registered()
        self._tracker = Tracker()
        self._guard = threading.Lock()
        self._room = threading.Condition(self._guard)
        self._commit: _Commit | None = None
        self._stopping = threading.Event()
        self._failure: BusUnavailable | None = None
        self._paused = False
        self._consumer = Consumer(
            options.consumer(group.name) | {"error_cb": self._noticed, "on_commit": self._answered}
        )
        self._consumer.subscribe(topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        self._thread = threading.Thread(target=self._run, name=f"kafka-{group.name}", daemon=True)
        self._thread.start()

    def fetch(self, limit: int) -> list[Delivery]:
        """Take from the buffer. Raises BusUnavailable once the membership is lost."""
        with self._guard:
            if self._failure is not None:
                raise self._failure
            found = self._tracker.hand_out(limit)
            if self._has_room():
                self._room.notify()
            return found

    def ack(self, position: int) -> None:
        """Remember it; `flush` commits."""
        with self._guard:
            self._tracker.ack(position)

    @property
    def unflushed(self) -> bool:
        """Whether something is acknowledged and not committed."""
        with self._guard:
            return bool(self._tracker.uncommitted())

    def flush(self) -> None:
        """Have it committed and wait for the answer. What falls into a rebalance is left to the next flush."""
        with self._guard:
            if self._failure is not None:
                raise self._failure
            if not self._tracker.uncommitted():
                return
            commit = self._commit = self._commit or _Commit()
        if not commit.answered.wait(_ANSWER_SECONDS):
            raise unavailable("the offsets were not committed in time")
        if commit.failure is not None:
            raise commit.failure

    def bookmarks(self, position: int) -> Mapping[str, int]:
        """The offsets of the partitions that *position* ends, or that only foreign events have moved."""
        with self._guard:
            return self._group.bookmarks.named(self._tracker.bookmarks(position))

    def close(self) -> None:
        """Commit, leave the group and wait until its partitions are free."""
        self._stopping.set()
        with self._guard:
            self._room.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(_LEAVE_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._step()
        except (KafkaException, BusUnavailable) as error:
            self._fail(error if isinstance(error, BusUnavailable) else unavailable(error))
        finally:
            self._consumer.close()
            self._answer(None)

    def _step(self) -> None:
        with self._room:
            if not self._has_room():
                self._room.wait(_FULL_SECONDS)
            has_room = self._has_room()
            commit, offsets = self._commit, self._tracker.uncommitted()
            pause = _BUSY_POLL_SECONDS if offsets or self._tracker.unacknowledged else _POLL_SECONDS
        if commit is not None and not commit.is_sent:
            self._send(commit, offsets)
        if has_room == self._paused:
            self._pause(not has_room)
        first = self._consumer.poll(pause if has_room else 0)
        if first is not None:
            self._take([first, *(self._consumer.consume(_AT_ONCE, 0) if has_room else [])])

    def _has_room(self) -> bool:
        return self._tracker.waiting < _BUFFERED and self._tracker.waiting_bytes < _BUFFERED_BYTES

    def _pause(self, wanted: bool) -> None:
        """Have the client fetch nothing while it must be polled only to stay a member."""
        (self._consumer.pause if wanted else self._consumer.resume)(self._consumer.assignment())
        self._paused = wanted

    def _take(self, messages: list[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is not None and error.code() not in _HARMLESS:
                raise unavailable(error)
        read = [
            (_source(message), message.offset() or 0, _event(message)) for message in messages if not message.error()
        ]
        if any(event.type not in self._registered.types for _, _, event in read):
            # Another process may have registered more types since: then these are not foreign to the group.
            self._registered = self._group.registered()
        with self._guard:
            before = self._tracker.waiting
            for place, offset, event in read:
                if event.type in self._registered.types:
                    self._tracker.add(place, offset=offset, message=event)
                else:
                    self._tracker.pass_over(place, offset=offset)
            has_more = self._tracker.waiting > before
        if has_more:
            self._group.wake()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            known = consumer.committed(partitions, timeout=_ANSWER_SECONDS) if partitions else []
            committed = {_place(each): each.offset if each.offset >= 0 else None for each in known}
            self._registered = self._group.registered()
            starts = self._group.bookmarks.starts(committed, self._registered)
        except (KafkaException, BusUnavailable) as error:
            self._fail(error if isinstance(error, BusUnavailable) else unavailable(error))
            consumer.incremental_assign([])
            return
        with self._guard:
            self._tracker.hold(starts, committed)
        begun = _partitions(starts)
        consumer.incremental_assign(begun)
        if self._paused:
            consumer.pause(begun)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Commit before another process reads on, so that it begins where we ended."""
        places = _places(partitions)
        with self._guard:
            offsets = _partitions(self._tracker.uncommitted(places))
            self._tracker.release(places)
            is_member = self._failure is None
        if offsets and is_member:
            try:
                consumer.commit(offsets=offsets, asynchronous=False)
            except KafkaException as error:
                log.warning("kafka.commit_lost", extra={"error": str(error), "group": self._group.name})

    def _lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        with self._guard:
            self._tracker.release(_places(partitions))
        if not self._stopping.is_set():
            self._fail(unavailable("the membership in the group was lost"))

    def _noticed(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the library's spelling
            self._fail(unavailable(error))

    def _fail(self, failure: BusUnavailable) -> None:
        with self._guard:
            if self._failure is None:
                self._failure = failure
        self._group.wake()

    def _send(self, commit: "_Commit", offsets: Mapping[Place, int]) -> None:
        commit.is_sent = True
        if offsets:
            self._consumer.commit(offsets=_partitions(offsets), asynchronous=True)
        else:
            self._answer(None)

    def _answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        with self._guard:
            self._tracker.committed({_place(each): each.offset for each in partitions if each.error is None})
        is_failure = error is not None and error.code() not in _REBALANCING
        self._answer(unavailable(error) if is_failure else None)

    def _answer(self, failure: BusUnavailable | None) -> None:
        with self._guard:
            commit, self._commit = self._commit, None
        if commit is not None:
            commit.failure = failure
            commit.answered.set()


class _Commit:
    """A wish to have everything committed, and what became of it."""

    def __init__(self) -> None:
        self.is_sent = False
        self.answered = threading.Event()
        self.failure: BusUnavailable | None = None


def _place(partition: TopicPartition) -> Place:
    return partition.topic, partition.partition


def _places(partitions: Iterable[TopicPartition]) -> list[Place]:
    return [_place(each) for each in partitions]


def _partitions(offsets: Mapping[Place, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]


def _source(message: Message) -> Place:
    return message.topic() or "", message.partition() or 0


def _event(message: Message) -> Event:
    headers = dict(message.headers() or ())
    return Event(
        event_id=_text(headers.get("event_id")),
        type=_text(headers.get("type")),
        subject=_text(message.key()),
        body=_text(message.value()),
    )


def _text(value: bytes | str | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
