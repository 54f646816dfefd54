"""An append-only file of records whose writers share each fsync."""

import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bandstand.chaos.provider.records import Record, decode, encode

__all__ = ["Ledger", "LedgerBroken", "LedgerDamaged", "LedgerInUse"]


class LedgerInUse(Exception):
    """Another process holds this ledger."""


class LedgerDamaged(Exception):
    """A line in the middle of the file is not a record: this is no torn write, and nothing is guessed."""


class LedgerBroken(Exception):
    """Writing failed, so that what is in memory is not on disk: the process must end and recover from the file."""


class Ledger:
    """The file and its tail in memory. `append` orders a record; `wait` returns when it is on disk.

    Whoever waits first writes and syncs for all that were appended until then, so 64 writers pay for about one sync.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._path = path
        self._lock = threading.Condition()
        self._buffer: list[bytes] = []
        self._appended = self._durable = 0
        self._writing = self._broken = False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise LedgerInUse(f"{path} is in use by another process") from error
        _sync_folder(path.parent)

    def recover(self) -> Iterator[Record]:
        """Read every record; a torn last line, which nobody was ever answered for, is cut off."""
        good = 0
        with self._path.open("rb") as lines:
            for line in lines:
                try:
                    record = decode(line) if line.endswith(b"\n") else None
                except msgspec.DecodeError as error:
                    if lines.read(1):
                        raise LedgerDamaged(f"{self._path}: no record at byte {good}: {error}") from error
                    record = None
                if record is None:
                    break
                good += len(line)
                yield record
        os.ftruncate(self._file, good)
        os.fsync(self._file)

    def append(self, record: Record) -> int:
        """Put *record* behind all others and return its position, for `wait`."""
        with self._lock:
            self._buffer.append(encode(record))
            self._appended += 1
            return self._appended

    @property
    def position(self) -> int:
        """The position of the last record appended."""
        return self._appended

    def wait(self, position: int | None = None) -> None:
        """Return when everything up to *position* (default: all that is appended now) is on disk.

        Raises LedgerBroken when it cannot be written.
        """
        with self._lock:
            wanted = self._appended if position is None else position
            while self._durable < wanted:
                if self._broken:
                    raise LedgerBroken(f"{self._path} cannot be written")
                if self._writing:
                    self._lock.wait()
                else:
                    self._write_all()

    def close(self) -> None:
        """Write what is left and let the file go."""
        self.wait()
        os.close(self._file)

    def _write_all(self) -> None:
        lines, reached = b"".join(self._buffer), self._appended
        self._buffer.clear()
        self._writing = True
        self._lock.release()
        written = False
        try:
            while lines:
                lines = lines[os.write(self._file, lines) :]
            os.fdatasync(self._file)
            written = True
        except OSError as error:
            raise LedgerBroken(f"{self._path} cannot be written: {error}") from error
        finally:
            self._lock.acquire()
            self._writing = False
            self._broken = not written
            self._durable = reached if written else self._durable
            self._lock.notify_all()


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
