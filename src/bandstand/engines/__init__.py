"""Existing servers as ordinary processes of one folder, for tests and for a fleet on one machine without Docker.

Each engine prepares its folder and then *becomes* the server: `python -m bandstand.engines valkey --folder F --port P`.
Whoever starts it supervises it, and it dies with whoever started it.
"""

from bandstand.engines.base import Absent, Engine
from bandstand.engines.postgresql import PostgreSQL
from bandstand.engines.rabbitmq import RabbitMQ
from bandstand.engines.valkey import Valkey

__all__ = ["ENGINES", "Absent", "Engine"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (PostgreSQL(), RabbitMQ(), Valkey())}
