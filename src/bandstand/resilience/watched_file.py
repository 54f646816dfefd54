"""A small file that somebody else replaces while we run: read again when it changes, kept when it breaks."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

from bandstand import clock

__all__ = ["WatchedFile"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_Stamp = tuple[int, int, int]


class WatchedFile(Generic[T]):
    """The parsed content of *path*, at most *every* old; an unreadable file leaves the last good content in force.

    Costs one clock reading between looks and one `stat` at a look. The writer must replace the file by a rename.
    """

    def __init__(self, path: Path, *, parse: Callable[[bytes], T], empty: T, every: timedelta) -> None:
        self.path = path
        self._parse = parse
        self._content = empty
        self._every = every.total_seconds()
        self._stamp: _Stamp | None = None
        self._look_at = 0.0
        self._lock = threading.Lock()

    def get(self) -> T:
        """The content now. Never raises: where the file was never readable it is the *empty* one."""
        if clock.monotonic() >= self._look_at:
            self._look(asked_at=self._look_at)
        return self._content

    def refresh(self) -> None:
        """Look at the file at once."""
        self._look(asked_at=None)

    def _look(self, *, asked_at: float | None) -> None:
        with self._lock:
            if asked_at is not None and asked_at != self._look_at:
                return  # somebody else has looked while this thread waited
            try:
                self._read()
            except (OSError, ValueError) as error:
                log.warning("watched_file.unreadable", extra={"file": str(self.path), "error": str(error)})
            # Last, so that nobody takes the empty content for the file's while it is being read for the first time.
            self._look_at = clock.monotonic() + self._every

    def _read(self) -> None:
        found = self.path.stat()
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        if stamp != self._stamp:
            self._content = self._parse(self.path.read_bytes())
            self._stamp = stamp
