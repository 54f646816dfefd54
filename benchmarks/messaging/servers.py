"""The servers a benchmark starts for itself, on free ports, in a folder that goes away with it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import amqp
import psycopg

from bandstand.engines.ports import free_port
from bandstand.testing.engines import RunningEngine

EXCHANGE, KEY, QUEUE = "bench", "bench.order_noted.v1", "bench"
QUORUM = {"x-queue-type": "quorum"}

_serial = count()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk that the servers of the machine use too, not in memory."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/var/tmp") as found:
        yield Path(found)


@contextmanager
def postgresql(place: Path) -> Iterator[RunningEngine]:
    """A PostgreSQL whose commits are on disk when they return."""
    with RunningEngine("postgresql", place / "postgresql") as server:
        yield server


@contextmanager
def rabbitmq(place: Path) -> Iterator[tuple[RunningEngine, int]]:
    """A RabbitMQ that speaks STOMP too, as django-outbox-pattern needs it, and the port for that."""
    stomp = free_port()
    data = place / "rabbitmq" / "data"
    data.mkdir(parents=True)
    (data / "plugins").write_text("[rabbitmq_stomp].\n")
    (data / "environment").write_text(f"ADVANCED_CONFIG_FILE={data}/advanced.config\n")
    (data / "advanced.config").write_text(f'[{{rabbitmq_stomp, [{{tcp_listeners, [{{"127.0.0.1", {stomp}}}]}}]}}].\n')
    with RunningEngine("rabbitmq", place / "rabbitmq") as server:
        yield server, stomp


@contextmanager
def database(server: RunningEngine, *, like: str = "template1") -> Iterator[str]:
    """A database of its own, a copy of the one called *like*, to which nobody is connected; its URL."""
    name = f"bench_{next(_serial)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
    yield f"{server.url.rpartition('/')[0]}/{name}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute("CHECKPOINT")  # what this one left to write is not the next one's burden


def connect(url: str, **options: object) -> amqp.Connection:
    """An open connection of py-amqp."""
    parts = urlsplit(url)
    connection = amqp.Connection(f"{parts.hostname}:{parts.port}", parts.username, parts.password, **options)
    connection.connect()
    return connection


@contextmanager
def queue(url: str, *, exchange: str = EXCHANGE) -> Iterator[None]:
    """A fresh quorum queue behind a durable topic exchange, for whoever brings no topology."""
    with connect(url) as connection:
        channel = connection.channel()
        if exchange == EXCHANGE:
            channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)
        channel.queue_declare(QUEUE, durable=True, auto_delete=False, arguments=QUORUM)
        channel.queue_bind(QUEUE, exchange, KEY)
    yield
    with connect(url) as connection:
        connection.channel().queue_delete(QUEUE)


def waiting(url: str, name: str = QUEUE) -> int:
    """How many messages a queue holds."""
    with connect(url) as connection:
        found: int = connection.channel().queue_declare(name, passive=True).message_count
        return found
