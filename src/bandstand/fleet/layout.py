"""Where a fleet keeps what it needs: the data folder, its files, and short paths for Unix sockets."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["DataFolder", "replace_file"]

# sun_path holds 108 bytes, the last of them zero.
_SOCKET_PATH_BYTES = 107


def replace_file(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write *path* atomically: a reader sees the old text or the new, never half of either."""
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:  # noqa: PTH123 - by descriptor, for the mode
        file.write(text)
    temporary.replace(path)


class DataFolder:
    """The data folder of one fleet. Two fleets have two folders; one launcher owns a folder at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @property
    def lock(self) -> Path:
        """Held with flock by the launcher as long as it lives; its text is the launcher's pid."""
        return self.root / "launcher.lock"

    @property
    def state(self) -> Path:
        """What the running launcher tells the other verbs; see `read_state`."""
        return self.root / "state.json"

    @property
    def registry(self) -> Path:
        """Ready instances by service, read by the services' discovery."""
        return self.root / "registry.json"

    @property
    def trust(self) -> Path:
        """Public identity keys by service."""
        return self.root / "trust.json"

    @property
    def bus(self) -> Path:
        """The embedded bus."""
        return self.root / "bus" / "bus.sqlite3"

    @property
    def xds(self) -> Path:
        """The gateway's configuration, one folder for each watched file."""
        return self.root / "xds"

    @property
    def mail(self) -> Path:
        """Mails that services sent."""
        return self.root / "mail"

    @property
    def databases(self) -> Path:
        """Where each service's database was at the first start."""
        return self.root / "databases.json"

    @property
    def seeded(self) -> Path:
        """Present once the shop was seeded into these databases."""
        return self.root / "db" / ".seeded"

    def database(self, service: str) -> Path:
        """The SQLite file of a service."""
        return self.root / "db" / f"{service}.sqlite3"

    def log(self, name: str) -> Path:
        """The log of a process, rotated by size."""
        return self.root / "logs" / f"{name}.log"

    def key(self, name: str) -> Path:
        """A secret, readable by the owner only."""
        return self.root / "keys" / name

    def create(self) -> None:
        """Make the folders; those with secrets and mails are closed to others."""
        for name, mode in {"db": 0o700, "bus": 0o700, "logs": 0o700, "keys": 0o700, "mail": 0o700, "crash": 0o755,
                           "engines": 0o700, "xds": 0o700, "provider": 0o700}.items():  # fmt: skip
            (self.root / name).mkdir(mode=mode, parents=True, exist_ok=True)

    def socket(self, name: str) -> Path:
        """The path of a Unix socket: in the folder, or in the runtime folder where that path would be too long."""
        path = self.root / name
        if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
            return path
        short = Path(tempfile.gettempdir()) / f"bandstand-{os.getuid()}"
        short.mkdir(mode=0o700, exist_ok=True)
        if short.stat().st_uid != os.getuid() or short.is_symlink():
            raise PermissionError(f"{short} belongs to somebody else; set TMPDIR to a folder of yours")
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return short / f"{digest}-{name}"

    def read_state(self) -> dict[str, Any] | None:
        """What the launcher wrote when it started, or None when none ever ran here."""
        try:
            state: dict[str, Any] = json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return state
