"""The embedded bus: one SQLite file that all processes of a host share.

`log` is append-only. As SQLite has one writer, ids become visible in the order of commits, so a cursor per group is
enough: no gaps, and order per subject for free. The one reader of a group is whoever holds a file lock, which the
kernel frees when its process dies; no lease has to be renewed, and an idle bus costs nothing.
"""

import fcntl
import os
import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from bandstand import clock
from bandstand.config import ConfigurationError, Fault
from bandstand.events.backends.base import (
    Bus,
    BusUnavailable,
    Delivery,
    GroupReport,
    Message,
    Published,
    Subscription,
    Waiter,
)
from bandstand.events.backends.wakeup import WakeFolder

__all__ = ["EmbeddedBus"]

MAX_BYTES = 1_048_576
"""The longest event: what is longer is refused, as every broker refuses something."""

_TRIMMED_AT_ONCE = 2_000
_NAME = re.compile(r"[A-Za-z0-9._-]+")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, event_id TEXT NOT NULL, subject TEXT NOT NULL,
    at REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS groups (name TEXT PRIMARY KEY, acked INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscriptions (
    name TEXT NOT NULL, type TEXT NOT NULL, PRIMARY KEY (name, type)) WITHOUT ROWID;
"""


class EmbeddedBus(Bus):
    """`embedded:////absolute/path/bus.sqlite3`"""

    def __init__(self, url: str) -> None:
        path = unquote(urlsplit(url).path[1:])
        if not path or not Path(path).is_absolute():
            problem = f"{url!r} names no absolute path"
            raise ConfigurationError([Fault(variable="BUS_URL", problem=problem, expected="embedded:////path/to/file")])
        self._path = Path(path)
        self._folder_path = self._path.with_name(self._path.name + ".wake")
        self._folder: WakeFolder | None = None
        self._local = threading.local()
        self._guard = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._listeners: dict[str, list[str]] = {}
        self._generation = -1
        self._locks: list[IO[str]] = []

    def publish(self, messages: Sequence[Message]) -> Published:
        """Append in one commit; wake the groups concerned after it."""
        rows, refused = _sorted_out(messages)
        if rows:
            moment = clock.now().timestamp()
            with self._writing() as connection:
                connection.executemany(
                    "INSERT INTO log (type, event_id, subject, at, body) VALUES (?, ?, ?, ?, ?)",
                    [(row.type, row.event_id, row.subject, moment, row.body) for row in rows],
                )
            self._wake_groups({row.type for row in rows})
        return Published(accepted=frozenset(row.event_id for row in rows), refused=refused)

    def register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:
        """Write the group and its types in one commit."""
        _check(group)
        self._register(group, types, from_beginning=from_beginning)
        os.utime(self._folder_path)  # whoever knows the listeners already reads the subscriptions again

    def subscribe(self, group: str) -> "EmbeddedSubscription | None":
        """Take the group's file lock and read on from its cursor."""
        self._wake_folder()
        lock = (self._folder_path / f"{_check(group)}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            subscription = EmbeddedSubscription(self, group, lock, start=self._cursor(group))
        except BlockingIOError:
            lock.close()
            return None
        except BaseException:
            lock.close()
            raise
        with self._guard:
            self._locks = [each for each in self._locks if not each.closed] + [lock]
        return subscription

    def waiter(self, group: str) -> Waiter:
        """Bind a socket in the folder beside the file."""
        return self._wake_folder().waiter(_check(group))

    def trim(self, older_than: timedelta) -> int:
        """Delete a bounded number of rows below every cursor, so that the write lock is never held for long."""
        before = (clock.now() - older_than).timestamp()
        with self._writing() as connection:
            deleted = connection.execute(
                "DELETE FROM log WHERE id IN (SELECT id FROM (SELECT id, at FROM log WHERE id <="
                " coalesce((SELECT min(acked) FROM groups), 9223372036854775807) ORDER BY id LIMIT ?) WHERE at < ?)",
                (_TRIMMED_AT_ONCE, before),
            )
            return deleted.rowcount

    def groups(self) -> list[GroupReport]:
        """Count the rows beyond each group's cursor that it subscribes to."""
        with self.reading() as connection:
            types: dict[str, list[str]] = {}
            for name, type_ in connection.execute("SELECT name, type FROM subscriptions ORDER BY name, type"):
                types.setdefault(name, []).append(type_)
            lag = connection.execute(
                "SELECT g.name, (SELECT count(*) FROM log l JOIN subscriptions s ON s.type = l.type AND s.name = g.name"
                " WHERE l.id > g.acked) FROM groups g ORDER BY g.name"
            )
            return [GroupReport(name=name, types=tuple(types.get(name, ())), lag=count) for name, count in lag]

    def close(self) -> None:
        """Close the connections of all threads, the folder of sockets, and subscriptions without a last flush."""
        with self._guard:
            locks, self._locks = self._locks, []
            connections, self._connections = self._connections, []
            folder, self._folder = self._folder, None
            self._local = threading.local()
        for lock in locks:
            lock.close()
        for connection in connections:
            connection.close()
        if folder is not None:
            folder.close()

    def _register(self, group: str, types: Collection[str], *, from_beginning: bool) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM subscriptions WHERE name = ?", (group,))
            if not types:
                connection.execute("DELETE FROM groups WHERE name = ?", (group,))
                return
            start = "0" if from_beginning else "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'log'), 0)"
            connection.execute(f"INSERT OR IGNORE INTO groups SELECT ?, {start}", (group,))
            connection.executemany("INSERT INTO subscriptions VALUES (?, ?)", [(group, type_) for type_ in types])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot for several queries. Raises BusUnavailable."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction. Writers of all processes queue at a file lock, where the kernel wakes the next one
        at once; SQLite itself would have them sleep and try again."""
        with self._write_turn(), self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _write_turn(self) -> Iterator[None]:
        lock: IO[str] | None = getattr(self._local, "lock", None)
        if lock is None:
            self._wake_folder()
            lock = self._local.lock = (self._folder_path / "write.lock").open("a")
            with self._guard:
                self._locks.append(lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connection()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            raise BusUnavailable(f"the embedded bus cannot be used: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            self._wake_folder()
            connection = self._connect()
            with self._guard:
                self._connections.append(connection)
            self._local.connection = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        # Several processes start at once, and changing the journal mode does not wait for a lock: one at a time.
        with (self._folder_path / "schema.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection = sqlite3.connect(self._path, timeout=20, isolation_level=None, check_same_thread=False)
            connection.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=134217728;"
                "PRAGMA journal_size_limit=27103364;" + _SCHEMA
            )
        return connection

    def _wake_folder(self) -> WakeFolder:
        folder = self._folder
        if folder is None:
            with self._guard:
                folder = self._folder
                if folder is None:
                    folder = self._folder = WakeFolder(self._folder_path)
        return folder

    def _wake_groups(self, types: set[str]) -> None:
        folder = self._wake_folder()
        generation = folder.generation()
        if generation != self._generation:  # a group registers, then says so by touching the folder
            self._listeners, self._generation = self._subscribers(), generation
        for group in {group for type_ in types for group in self._listeners.get(type_, ())}:
            folder.notify(group)

    def _cursor(self, group: str) -> int:
        with self.reading() as connection:
            row = connection.execute("SELECT acked FROM groups WHERE name = ?", (group,)).fetchone()
        if row is None:
            raise BusUnavailable(f"the group {group!r} is not registered")
        return int(row[0])

    def _subscribers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        with self.reading() as connection:
            for name, type_ in connection.execute("SELECT name, type FROM subscriptions"):
                found.setdefault(type_, []).append(name)
        return found

    def acknowledge(self, group: str, position: int) -> None:
        """Move a group's cursor forward."""
        with self._writing() as connection:
            connection.execute("UPDATE groups SET acked = max(acked, ?) WHERE name = ?", (position, group))


class EmbeddedSubscription(Subscription):
    """A place in the log and the file lock that entitles to move it."""

    def __init__(self, bus: EmbeddedBus, group: str, lock: IO[str], *, start: int) -> None:
        self._bus = bus
        self._group = group
        self._lock = lock
        self._read = self._delivered = self._acked = self._durable = start

    def fetch(self, limit: int) -> list[Delivery]:
        """Read on from the last delivery; events of other types are passed over."""
        with self._bus.reading() as connection:
            rows = connection.execute(
                "SELECT id, event_id, type, subject, body FROM log WHERE id > ? AND type IN"
                " (SELECT type FROM subscriptions WHERE name = ?) ORDER BY id LIMIT ?",
                (self._read, self._group, limit),
            ).fetchall()
            if rows:
                self._read = self._delivered = rows[-1][0]
            else:
                (end,) = connection.execute("SELECT coalesce(max(id), 0) FROM log").fetchone()
                self._read = max(end, self._read)
        if self._acked >= self._delivered:  # what was passed over since is done as well
            self._acked = self._read
        return [
            Delivery(position=row[0], message=Message(event_id=row[1], type=row[2], subject=row[3], body=row[4]))
            for row in rows
        ]

    def ack(self, position: int) -> None:
        """Remember it; `flush` writes."""
        self._acked = max(self._acked, position)

    @property
    def unflushed(self) -> bool:
        """Whether the durable cursor is behind."""
        return self._acked > self._durable

    def flush(self) -> None:
        """Write the cursor."""
        if self.unflushed:
            self._bus.acknowledge(self._group, self._acked)
            self._durable = self._acked

    def close(self) -> None:
        """Write the cursor and free the lock."""
        try:
            self.flush()
        finally:
            self._lock.close()


def _check(name: str) -> str:
    if _NAME.fullmatch(name) is None:  # it becomes a file name
        raise ValueError(f"{name!r} is no name of a group: letters, digits, dot, dash and underscore only")
    return name


def _sorted_out(messages: Sequence[Message]) -> tuple[list[Message], dict[str, str]]:
    rows: list[Message] = []
    refused: dict[str, str] = {}
    blocked: set[str] = set()
    for message in messages:
        size = len(message.body.encode())
        if message.subject in blocked:
            continue
        if size > MAX_BYTES:
            refused[message.event_id] = f"{size} bytes; the embedded bus takes {MAX_BYTES}"
            blocked.add(message.subject)
        else:
            rows.append(message)
    return rows, refused
