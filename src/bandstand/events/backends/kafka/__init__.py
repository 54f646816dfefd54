"""The bus on Kafka, by librdkafka. See docs/reference/buses.md for what it promises and what it needs."""

from bandstand.events.backends.kafka.bus import KafkaBus

__all__ = ["KafkaBus"]
