"""The database and the bus of a trial: real servers on free ports, or files."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bandstand import clock
from bandstand.engines import ENGINES
from bandstand.testing.engines import RunningEngine
from tests.servers import rabbitmq_knows_its_queues
from tests.trials.scene import MIRROR, SHOP

__all__ = ["BUSES", "DATABASES", "Servers", "needed", "opened"]

BUSES = {"embedded": "", "redis": "valkey", "rabbitmq": "rabbitmq"}
"""The buses and the engines behind them."""

DATABASES = ("sqlite", "postgresql")
_TO_KNOW_QUEUES_SECONDS = 30


def needed(bus: str, database: str) -> list[str]:
    """The engines that bus and database need."""
    return [engine for engine in (BUSES[bus], database) if engine in ENGINES]


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where bus and databases are; `broker` is None where the bus is a file."""

    bus_url: str
    databases: dict[str, str]
    broker: RunningEngine | None
    folder: Path

    def take_down(self, *, hard: bool) -> None:
        """End the broker, as a power cut does or in good order."""
        assert self.broker is not None
        deadline = clock.monotonic() + _TO_KNOW_QUEUES_SECONDS
        while not rabbitmq_knows_its_queues(self.folder / "broker"):  # true of every other broker
            assert clock.monotonic() < deadline, "RabbitMQ did not write down its queues"
            clock.sleep(0.2)
        if hard:
            self.broker.kill()
        else:
            self.broker.stop()

    def bring_up(self) -> None:
        """Start the broker again, with what it had made durable."""
        assert self.broker is not None
        self.broker.start()


@contextmanager
def opened(bus: str, database: str, folder: Path) -> Iterator[Servers]:
    """Start what is needed. Raises bandstand.engines.Absent where a server is not installed."""
    with ExitStack() as stack:
        broker = stack.enter_context(RunningEngine(BUSES[bus], folder / "broker")) if BUSES[bus] else None
        databases = {service: f"sqlite:///{folder}/{service}.sqlite3" for service in (SHOP, MIRROR)}
        if database == "postgresql":
            server = stack.enter_context(RunningEngine("postgresql", folder / "database"))
            databases = {service: _created(server, service) for service in (SHOP, MIRROR)}
        bus_url = broker.url if broker is not None else f"embedded:///{folder}/bus.sqlite3"
        yield Servers(bus_url=bus_url, databases=databases, broker=broker, folder=folder)


def _created(server: RunningEngine, name: str) -> str:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url.rpartition("/")[0] + f"/{name}"
