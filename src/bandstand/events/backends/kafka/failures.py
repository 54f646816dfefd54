"""Kafka's errors as ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from bandstand.events.backends.base import BusUnavailable

__all__ = ["as_unavailable", "reported", "unavailable"]


def unavailable(error: object) -> BusUnavailable:
    """Say that Kafka cannot be used, and why."""
    return BusUnavailable(f"Kafka cannot be used: {_sentence(error)}")


@contextmanager
def as_unavailable() -> Iterator[None]:
    """Raise BusUnavailable for what the client raises."""
    try:
        yield
    except (KafkaException, TimeoutError) as error:
        raise unavailable(error) from error


def reported(error: BaseException) -> KafkaError | None:
    """The error of Kafka that an exception carries."""
    found = error.args[0] if isinstance(error, KafkaException) and error.args else None
    return found if isinstance(found, KafkaError) else None


def _sentence(error: object) -> str:
    found = reported(error) if isinstance(error, BaseException) else error
    if isinstance(found, KafkaError):
        return f"{found.name()}: {found.str()}"
    return str(error) or type(error).__name__
