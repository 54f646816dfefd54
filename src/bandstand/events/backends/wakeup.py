"""Wake-ups between processes of one host: each waiter is a Unix datagram socket in a folder, named for what it awaits.

A datagram is a hint: the truth is in a database, and a reader that missed one looks there again by itself.
"""

import contextlib
import itertools
import logging
import os
import select
import socket
import threading
from datetime import timedelta
from pathlib import Path

from bandstand import clock
from bandstand.events.backends.base import Waiter

__all__ = ["WakeFolder"]

log = logging.getLogger(__name__)

_SUFFIX = ".sock"
_LONGEST = 100
"""A socket's address holds 108 bytes, and folders of tests and users are often deeper."""

_TICK_SECONDS = 0.1

_serial = itertools.count()


class WakeFolder:
    """The folder of sockets. Names may not contain `@`."""

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._text = str(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)
        self._guard = threading.Lock()
        self._known: dict[str, list[str]] = {}
        self._seen = -1
        self._generation = 0
        self._warned = False

    def waiter(self, name: str) -> "SocketWaiter":
        """Listen under *name* from now on."""
        return SocketWaiter(self, f"{name}@{os.getpid()}-{next(_serial)}{_SUFFIX}")

    def generation(self) -> int:
        """A number that grows when listeners may have come or gone; those present are known from here on."""
        try:
            with self._guard:
                self._look()
        except FileNotFoundError as error:  # readers find by their safety poll what nobody can tell them any more
            self._warn(error)
        return self._generation

    def notify(self, name: str) -> None:
        """Send a datagram to everyone listening under *name* as of the last `generation`.

        Addresses that nobody holds any more are removed.
        """
        for entry in self._known.get(name, ()):
            try:
                self._sender.sendto(b"\0", self.address(entry))
            except BlockingIOError:  # its queue is full: it will wake up anyway
                continue
            except ConnectionRefusedError:  # left behind by a process that was killed
                self.unlink(entry)
            except FileNotFoundError:  # closed in this moment
                continue
            except OSError as error:
                self._warn(error)

    def address(self, entry: str) -> str:
        """Where *entry* is bound, spelled short enough for a socket."""
        direct = f"{self._text}/{entry}"
        return direct if len(direct.encode()) <= _LONGEST else f"/proc/self/fd/{self._descriptor}/{entry}"

    def unlink(self, entry: str) -> None:
        """Remove an address."""
        with contextlib.suppress(FileNotFoundError):
            (self._path / entry).unlink()

    def close(self) -> None:
        """Give the descriptors back; waiters stay valid until they are closed."""
        self._sender.close()
        os.close(self._descriptor)

    def _look(self) -> None:
        seen = os.stat(self._text).st_mtime_ns  # noqa: PTH116 - once per publication
        if seen != self._seen:
            self._known = self._listed()
            # A folder's time advances in ticks of milliseconds: within the present one a change would go unseen.
            settled = clock.now().timestamp() - seen / 1e9 > _TICK_SECONDS
            self._seen = seen if settled else -1
            self._generation += 1

    def _warn(self, error: OSError) -> None:
        if not self._warned:  # once: it happens at every publication
            self._warned = True
            log.warning("loop.wake_ups_lost", extra={"folder": self._text, "error": str(error)})

    def _listed(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for entry in os.listdir(self._path):  # noqa: PTH208 - names are all we need
            if entry.endswith(_SUFFIX):
                found.setdefault(entry.partition("@")[0], []).append(entry)
        return found


class SocketWaiter(Waiter):
    """One listening socket."""

    def __init__(self, folder: WakeFolder, entry: str) -> None:
        self._folder = folder
        self._entry = entry
        self._address = folder.address(entry)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self._address)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def wait(self, timeout: timedelta) -> None:
        """Block until a datagram comes or until *timeout*, then take all that came."""
        self._poll.poll(max(0.0, timeout.total_seconds()) * 1000)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)

    def wake(self) -> None:
        """Send a datagram to itself."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
            sender.setblocking(False)
            sender.sendto(b"\0", self._address)

    def close(self) -> None:
        """Stop listening and remove the address."""
        self._socket.close()
        self._folder.unlink(self._entry)
