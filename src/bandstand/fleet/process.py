"""One child process: spawned so that it cannot outlive the launcher, watched by its pidfd, stopped in bounded time."""

import asyncio
import contextlib
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

from bandstand.clock import monotonic, now

__all__ = ["Process", "die_with", "spawn"]

_PR_SET_PDEATHSIG = 1
_SAY_AGAIN = 2.0


class Process:
    """A running child. `exited` resolves to its return code (negative: killed by that signal)."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self.pid = popen.pid
        self.started_at: datetime = now()
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = loop.create_future()
        self._popen = popen
        self._pidfd = os.pidfd_open(popen.pid)
        loop.add_reader(self._pidfd, self._on_exit)

    @property
    def is_running(self) -> bool:
        """Whether the process is alive as far as the launcher has seen."""
        return not self.exited.done()

    def _on_exit(self) -> None:
        # A worker whose parent died by itself must not keep the port: the whole group goes.
        self.signal(SIGKILL)
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.exited.set_result(self._popen.wait())

    def signal(self, number: Signals) -> None:
        """Send a signal to the whole process group; nothing happens when it is gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def stop(self, *, grace: float, number: Signals = SIGTERM) -> bool:
        """Ask the parent of the group to finish, kill the group after *grace* seconds. True: it finished by itself."""
        until = monotonic() + grace
        while not self.exited.done() and monotonic() < until:
            # Said again while it lasts: a signal may come in the moment before a main thread falls asleep, unheard.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            await asyncio.wait([self.exited], timeout=min(_SAY_AGAIN, max(until - monotonic(), 0)))
        if self.exited.done():
            return True
        self.signal(SIGKILL)
        await self.exited
        return False


def spawn(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> Process:
    """Start *command* in a process group of its own, its output appended to *log*. Raises OSError.

    The kernel kills the child when the launcher dies. It ties that to the *thread* that spawned, so this refuses any
    thread but the main one. Output goes straight to the file: a dead or stopped launcher never blocks a child.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("only the main thread may spawn: the death signal follows the spawning thread")
    with log.open("ab") as output:
        popen = subprocess.Popen(  # noqa: S603 - the commands of the fleet's own manifest
            list(command),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - the launcher has one thread
        )
    return Process(popen)


def die_with(parent_pid: int, number: Signals = SIGKILL) -> Callable[[], None]:
    """What a child does before exec, so that the kernel signals it when the thread that spawned it ends."""
    prctl, exit_now, parent = ctypes.CDLL(None).prctl, os._exit, os.getppid  # looked up before the fork

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if parent() != parent_pid:  # it died between fork and prctl
            exit_now(1)

    return prepare
