"""For servers that refuse to be root: another user, a place for the program that this user can reach, no leftovers."""

import contextlib
import hashlib
import os
import pwd
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bandstand.clock import sleep
from bandstand.engines.base import Absent

__all__ = ["User", "end_processes_of", "own", "passable", "unprivileged"]

_NAME = "nobody"


@dataclass(frozen=True, kw_only=True)
class User:
    """Who a server runs as."""

    uid: int
    gid: int

    def become(self) -> None:
        """Be this user from now on. The kernel forgets the parent-death signal of who changes: set it again."""
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)


def unprivileged() -> User:
    """Nobody, for root; anybody else stays who they are."""
    if os.getuid():
        return User(uid=os.getuid(), gid=os.getgid())
    entry = pwd.getpwnam(_NAME)
    return User(uid=entry.pw_uid, gid=entry.pw_gid)


def own(folder: Path, user: User) -> None:
    """Give *folder* itself to *user* alone; what is in it is theirs already."""
    if os.getuid() == 0:
        os.chown(folder, user.uid, user.gid)
    folder.chmod(0o700)


def passable(programs: Path, *needed: Path) -> Path:
    """*programs*, or a copy of it where its folder is closed to the user that root becomes. Raises Absent.

    *needed* are folders that the programs find by their relative place, such as the libraries of a wheel.
    """
    if os.getuid() or all(map(_is_passable, (programs, *needed))):
        return programs
    digest = hashlib.sha256(f"{programs} {needed} {programs.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    for temporary in {tempfile.gettempdir(): None, "/var/tmp": None, "/tmp": None}:  # noqa: S108 - a folder of root's own is made in it
        if _is_passable(Path(temporary)):
            root = Path(os.path.commonpath((programs, *needed)))
            place = Path(temporary) / f"bandstand-{programs.name}-{digest}"
            return _copied(root, (programs, *needed), place) / programs.relative_to(root)
    raise Absent(f"{programs} cannot be entered by the user {_NAME}, which root becomes: install it elsewhere")


def _is_passable(folder: Path) -> bool:
    try:
        return all(step.stat().st_mode & stat.S_IXOTH for step in (folder, *folder.parents))
    except FileNotFoundError:
        return False


def _copied(root: Path, parts: Iterable[Path], place: Path) -> Path:
    if not place.exists():
        whole = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=place.parent))
        for part in parts:
            into, left_out = whole / part.relative_to(root), shutil.ignore_patterns("*.a")
            shutil.copytree(part, into, dirs_exist_ok=True, symlinks=True, ignore=left_out)
        whole.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was first
            whole.rename(place)
        shutil.rmtree(whole, ignore_errors=True)
    if place.lstat().st_uid != 0 or place.is_symlink():
        raise Absent(f"{place} belongs to somebody else: remove it")
    return place


def end_processes_of(pid_file: Path) -> None:
    """Kill what a server that was killed left running in the current folder; a server that lives keeps its processes.

    Its children are in sessions of their own, which the kill of a process group does not reach.
    """
    left = set(_standing_in(Path.cwd()))
    if _pid_in(pid_file) in left:
        return
    while left:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        sleep(0.01)
        left = set(_standing_in(Path.cwd()))


def _pid_in(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _standing_in(folder: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink() == folder:
                    yield int(entry.name)
