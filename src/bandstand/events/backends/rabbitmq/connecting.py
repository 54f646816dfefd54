"""Connections with a bound on every wait, kept alive while nobody uses them, and thrown away after any failure."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import amqp

from bandstand.events.backends.base import BusUnavailable
from bandstand.events.backends.rabbitmq.options import Options
from bandstand.events.backends.rabbitmq.wire import writer

__all__ = ["FAILURES", "Blocked", "Link", "connected", "drop", "reaching", "tend", "unavailable"]

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
_NEWS_SECONDS = 0.001

FAILURES = (amqp.AMQPError, OSError)


class Blocked(BusUnavailable):
    """The server is short of memory or disk: it reads nothing more from a connection that has published."""


def unavailable(error: object) -> BusUnavailable:
    """Say that RabbitMQ cannot be used, and why."""
    text = str(error) or type(error).__name__
    return BusUnavailable(f"RabbitMQ cannot be used: {text}")


@contextmanager
def reaching() -> Iterator[None]:
    """Say BusUnavailable for whatever keeps a command from being carried out."""
    try:
        yield
    except FAILURES as error:
        raise unavailable(error) from error


def connected(options: Options, *, purpose: str) -> amqp.Connection:
    """Open a connection to the first node that answers. Raises what the last one raised."""
    for index, node in enumerate(options.nodes):
        connection = _connection(options, node, purpose)
        try:
            connection.connect()
        except FAILURES:
            drop(connection)
            if index == len(options.nodes) - 1:
                raise
        else:
            connection.sock.settimeout(ANSWER_SECONDS)
            return connection
    raise AssertionError("a URL names at least one node")


def drop(connection: amqp.Connection) -> None:
    """Give a connection back without a word that could be waited for."""
    with suppress(*FAILURES):
        connection.collect()


def tend(connection: amqp.Connection) -> None:
    """Send a heartbeat when one is due and take the server's. Raises one of FAILURES when it is silent."""
    connection.heartbeat_tick()
    with suppress(TimeoutError):
        while True:
            connection.drain_events(timeout=_NEWS_SECONDS)


class Link:
    """A connection that is opened when it is needed, used by one thread at a time, and whose heartbeats are kept."""

    def __init__(self, options: Options, purpose: str, prepare: Callable[[amqp.Connection], None]) -> None:
        self._options = options
        self._purpose = purpose
        self._prepare = prepare
        self._guard = threading.Lock()
        self._connection: amqp.Connection | None = None
        self._stop = threading.Event()

    @contextmanager
    def connection(self) -> Iterator[amqp.Connection]:
        """Use the connection. It is thrown away when the block raises, whatever that is. Raises BusUnavailable."""
        with self._guard, reaching():
            try:
                yield self._opened()
            except BaseException:
                self._drop()
                raise

    @contextmanager
    def channel(self) -> Iterator[amqp.Channel]:
        """Use a channel of its own."""
        with self.connection() as connection:
            channel = connection.channel()
            yield channel
            channel.close()

    def close(self) -> None:
        """Give the connection back; using it afterwards opens it anew."""
        with self._guard:
            self._drop()

    def _opened(self) -> amqp.Connection:
        if self._connection is None:
            connection = self._connection = connected(self._options, purpose=self._purpose)
            connection.on_blocked = _blocked
            self._prepare(connection)
            self._stop = threading.Event()
            keeper = threading.Thread(
                target=self._keep, args=(connection, self._stop), name=f"rabbitmq-{self._purpose}", daemon=True
            )
            keeper.start()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._stop.set()
        if connection is not None:
            drop(connection)

    def _keep(self, connection: amqp.Connection, stop: threading.Event) -> None:
        while not stop.wait(self._options.heartbeat / 3):
            with self._guard:
                if self._connection is not connection:
                    return
                try:
                    tend(connection)
                except (BusUnavailable, *FAILURES) as error:
                    log.debug("bus.connection_lost", extra={"purpose": self._purpose, "error": str(error)})
                    self._drop()


def _connection(options: Options, node: str, purpose: str) -> amqp.Connection:
    return amqp.Connection(
        node,
        userid=options.user,
        password=options.password,
        virtual_host=options.vhost,
        ssl=False if options.tls is None else {"server_hostname": node.rpartition(":")[0], **options.tls},
        connect_timeout=ANSWER_SECONDS,
        heartbeat=options.heartbeat,
        frame_writer=writer,
        client_properties={"connection_name": f"bandstand {purpose}"},
    )


def _blocked(reason: str) -> None:
    raise Blocked(f"RabbitMQ is short of memory or disk and takes no messages: {reason}")
