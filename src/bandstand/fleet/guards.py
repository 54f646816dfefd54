"""What must hold before a fleet starts: one launcher for a data folder, and a port that is free."""

import contextlib
import fcntl
import os
import socket
from pathlib import Path
from typing import TextIO

from bandstand.config import ConfigurationError, Fault
from bandstand.fleet.layout import DataFolder
from bandstand.fleet.proc import listener_of

__all__ = ["check_port", "take_lock"]


def take_lock(data: DataFolder) -> TextIO:
    """Own the data folder for as long as this process lives. Raises ConfigurationError naming the owner."""
    data.root.mkdir(parents=True, exist_ok=True)
    lock = data.lock.open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        problem = f"is in use by the launcher with pid {holder}"
        todo = f"`bandstand down --data {data.root}` first, or another --data"
        raise ConfigurationError([Fault(variable=str(data.root), problem=problem, expected=todo)]) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def check_port(host: str, port: int) -> None:
    """Raise ConfigurationError, naming who listens where that can be seen, when *port* cannot be used."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just closed are no obstacle
        try:
            probe.bind((host, port))
        except OSError as error:
            problem = f"cannot be used: {error.strerror}{_who_listens(port)}"
            fault = Fault(variable=f"port {port}", problem=problem, expected="a free one: --port N")
            raise ConfigurationError([fault]) from error


def _who_listens(port: int) -> str:
    pid = listener_of(port)
    if pid:
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            return f"; {name} (pid {pid}) listens there"
    return ""
