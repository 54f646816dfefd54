"""Publishing to Kafka: everything of a batch in flight together, then one wait for all reports."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from bandstand.events.backends.base import BusUnavailable
from bandstand.events.backends.kafka.failures import as_unavailable, unavailable
from bandstand.events.backends.kafka.options import Options

__all__ = ["Record", "Sender"]

_TO_SEND_SECONDS = 5.0
_LET_GO_SECONDS = 0.5

_Report = Callable[[KafkaError | None, Message], None]

_REFUSALS = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD}


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What Kafka stores. Without a partition, that of the key."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] = field(default_factory=list)
    partition: int = -1


class Sender:
    """The idempotent producer of a process.

    When a batch is not confirmed in time, the producer is thrown away with all that it still held: otherwise it could
    deliver later, out of order with what is published meanwhile. What it had sent is a beginning of each partition's
    batch, in order, so publishing the batch again puts no event before an earlier one of its subject.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._guard = threading.Lock()
        self._producer: Producer | None = None

    def send(self, records: Sequence[Record]) -> dict[int, str]:
        """Store *records*; return the indexes of refused ones with the reason.

        Raises BusUnavailable, and then any part may have been stored.
        """
        with self._guard:
            try:
                with as_unavailable():
                    return self._sent(records)
            except BusUnavailable:
                self._throw_away()
                raise

    def close(self) -> None:
        """Give the connections back."""
        with self._guard:
            self._throw_away()

    def _sent(self, records: Sequence[Record]) -> dict[int, str]:
        producer = self._opened()
        reports: dict[int, KafkaError | None] = {}
        for index, record in enumerate(records):
            _produce(producer, record, partial(_note, reports, index))
        producer.flush(_TO_SEND_SECONDS)
        if len(reports) < len(records):
            raise unavailable(f"{len(records) - len(reports)} events were not confirmed in time")
        for error in reports.values():
            if error is not None and error.code() not in _REFUSALS:
                raise unavailable(error)
        return {index: error.str() for index, error in reports.items() if error is not None}

    def _opened(self) -> Producer:
        if self._producer is None:
            self._producer = Producer(self._options.producer())
        return self._producer

    def _throw_away(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(_LET_GO_SECONDS)  # serves the reports of what was purged


def _note(reports: dict[int, KafkaError | None], index: int, error: KafkaError | None, _: Message) -> None:
    reports[index] = error


def _produce(producer: Producer, record: Record, note: _Report) -> None:
    try:
        producer.produce(
            record.topic,
            record.value,
            record.key,
            record.partition,
            on_delivery=note,
            headers=record.headers,
        )
    except BufferError as error:
        raise unavailable("the queue of the producer is full") from error
    except KafkaException as error:
        raise unavailable(error) from error
