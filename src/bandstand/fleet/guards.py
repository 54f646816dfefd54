"""What must hold before a fleet starts: one launcher for a data folder, its own databases, and a port that is free."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from bandstand.config import ConfigurationError, Fault
from bandstand.fleet.layout import DataFolder, replace_file
from bandstand.fleet.proc import listener_of

__all__ = ["check_databases", "check_port", "take_lock"]


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


def check_databases(data: DataFolder, databases: Mapping[str, str]) -> None:
    """Tie the data folder to the databases of its first start. Raises ConfigurationError when these are others.

    The provider's ledger and the mark of the seed lie in the folder and are about those databases: with others the shop
    would be empty, and its books would never balance.
    """
    try:
        known: dict[str, str] = json.loads(data.databases.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = {}
    found = {service: _place(data, url) for service, url in databases.items()}
    for service, place in found.items():
        if known.get(service, place) != place:
            problem = f"belongs to a fleet whose {service} is at {known[service]}, not {place}"
            todo = f"another folder: --data; or, when the database was moved, no {data.databases.name} in this one"
            raise ConfigurationError([Fault(variable=str(data.root), problem=problem, expected=todo)])
    replace_file(data.databases, json.dumps({**known, **found}), mode=0o600)


def _place(data: DataFolder, url: str) -> str:
    """A database without what may change: who connects, how, and where the data folder is."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return parts.path.removeprefix("/").removeprefix(f"{data.root}/")
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


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
