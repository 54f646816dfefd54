"""The logs of the fleet's processes: files that the children append to, kept within bounds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from bandstand.clock import sleep

__all__ = ["follow", "rotate", "tail"]

_LIMIT_BYTES = 16 * 1024 * 1024
_KEPT = 2
_TAIL_BYTES = 256 * 1024


def rotate(log: Path, *, limit_bytes: int = _LIMIT_BYTES) -> bool:
    """Copy a log that is too large aside and empty it; True when it was.

    The children hold it open for appending, so it is copied and cut instead of renamed: what they write between the
    two is lost, which a log may lose and a journal may not.
    """
    if log.stat().st_size < limit_bytes:
        return False
    for number in range(_KEPT, 1, -1):
        older = log.with_suffix(f".log.{number - 1}")
        if older.exists():
            older.replace(log.with_suffix(f".log.{number}"))
    shutil.copyfile(log, log.with_suffix(".log.1"))
    with log.open("r+b") as file:
        file.truncate(0)
    return True


def tail(log: Path, *, lines: int) -> str:
    """The last *lines* of a log, empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.removesuffix("\n").split("\n")[-lines:])  # a line ends at a line feed and nowhere else


def follow(logs: list[Path]) -> Iterator[tuple[Path, str]]:
    """Yield each complete line that is appended to one of *logs*, for ever, through rotations."""
    places = {log: log.stat().st_size if log.exists() else 0 for log in logs}
    while True:
        for log in logs:
            size = log.stat().st_size if log.exists() else 0
            start = places[log] if places[log] <= size else 0
            if size > start:
                with log.open("rb") as file:
                    file.seek(start)
                    text = file.read(size - start)
                whole = text[: text.rfind(b"\n") + 1]
                places[log] = start + len(whole)
                for line in whole.decode("utf-8", "replace").split("\n")[:-1]:
                    yield log, line
        sleep(0.1)
