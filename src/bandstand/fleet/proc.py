"""What the kernel says about processes and ports, read from /proc: cheap enough to ask at every poll."""

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from bandstand.clock import now

__all__ = ["children_of", "listener_of", "owns_port", "parent_of", "pss_bytes", "started_at"]

_LISTEN = "0A"


def children_of(pid: int) -> list[int]:
    """The pids of the direct children, oldest first; empty when the process is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def parent_of(pid: int) -> int:
    """The parent's pid, 0 when the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def started_at(pid: int) -> datetime | None:
    """When the process started, to a hundredth of a second; None when it is gone."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    except OSError:
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return now() - timedelta(seconds=age)


def pss_bytes(pid: int) -> int:
    """The process's proportional share of memory; 0 when it is gone or may not be read."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


def owns_port(pid: int, port: int) -> bool:
    """Whether the process and its children, and nobody else, listen on the IPv4 *port*.

    An answer on a port proves nothing: after a lost race for it, it may be a stranger's.
    """
    inodes = set(_listening_inodes(port))
    owned = {inode for member in (pid, *children_of(pid)) for inode in _socket_inodes(member)}
    return bool(inodes) and inodes <= owned


def listener_of(port: int) -> int:
    """The pid that listens on *port*, as far as this user may see; 0 otherwise."""
    inodes = set(_listening_inodes(port))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and inodes & set(_socket_inodes(int(entry.name))):
            return int(entry.name)
    return 0


def _listening_inodes(port: int) -> Iterator[str]:
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _socket_inodes(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - names only, a descriptor may close meanwhile
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115 - the target is no path
                if target.startswith("socket:["):
                    yield target[8:-1]
