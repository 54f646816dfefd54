"""Disk and memory, measured where they run out: the volume of the database, the limit of the control group.

Neither is critical: an instance that is short of memory serves worse, one that is taken out serves nobody, and its
neighbours are short of the same disk.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

__all__ = ["Shortage", "check_disk_space", "check_memory"]

_DISK_FREE_SHARE, _MEMORY_USED_SHARE = 0.05, 0.9
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


class Shortage(Exception):
    """A resource is nearly used up."""


def check_disk_space() -> Mapping[str, Any]:
    """Measure the volume that holds the database file; a database server answers for its own disk. Raises Shortage."""
    database = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite") and not database["ENGINE"].endswith("sqlite3"):
        return {}
    usage = shutil.disk_usage(Path(database["NAME"]).parent)
    if usage.free < usage.total * _DISK_FREE_SHARE:
        raise Shortage(f"{usage.free >> 20} MiB are free of {usage.total >> 20}")
    return {"free_bytes": usage.free}


def check_memory(*, groups: Path = _CONTROL_GROUPS, own: Path = Path("/proc/self/cgroup")) -> Mapping[str, Any]:
    """Compare use and limit of this process's control group, where it has one. Raises Shortage."""
    folder = _own_group(groups, own)
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return {}
    if not limit.isdigit():
        return {"used_bytes": used}
    if used > int(limit) * _MEMORY_USED_SHARE:
        raise Shortage(f"{used >> 20} MiB are used of {int(limit) >> 20}")
    return {"used_bytes": used, "limit_bytes": int(limit)}


def _own_group(groups: Path, own: Path) -> Path:
    """The folder of this process's group; in a container the root is its own."""
    try:
        line = next(line for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return groups
    folder = groups / line.removeprefix("0::").lstrip("/")
    return folder if (folder / "memory.max").exists() else groups
