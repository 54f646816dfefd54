"""The bus on RabbitMQ, by py-amqp. See docs/reference/buses.md for what it promises and what it needs."""

from bandstand.events.backends.rabbitmq.bus import RabbitBus

__all__ = ["RabbitBus"]
