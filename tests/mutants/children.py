"""The processes in which tests are held against planted bugs: none outlives the run that started it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.mutants.witness import PARENT

__all__ = ["CHILDREN", "Children", "Interrupted"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(RuntimeError):
    """The run is over: nothing more is started."""


class Children:
    """Runs of pytest, each with whatever it starts in a session of its own; for many threads.

    They end with `interruptible`, and by the kernel's doing with the thread that started them: see `witness`.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._living: set[subprocess.Popen[str]] = set()
        self._is_over = False

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *, deadline_seconds: float
    ) -> tuple[int, str]:
        """Run pytest; returns its status and what it said. Raises subprocess.TimeoutExpired once all of it is dead."""
        process = self._start(arguments, folder, environment)
        try:
            output, _ = process.communicate(timeout=deadline_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        finally:
            with self._guard:
                self._living.discard(process)
        return process.returncode, output

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Kill them all when the block is left by an exception; in it SIGINT and SIGTERM raise KeyboardInterrupt, once.

        For the main thread. A pool belongs around the block: it waits for its threads, and they for their children.
        """
        self._is_over = False
        before = {number: signal.signal(number, _leave) for number in _SIGNALS}
        try:
            yield
        except BaseException:
            self._end()
            raise
        finally:
            for number, handler in before.items():
                if signal.getsignal(number) is _leave:
                    signal.signal(number, handler)

    def _start(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
        with self._guard:
            if self._is_over:
                raise Interrupted
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *arguments],
                cwd=folder,
                env={**environment, PARENT: str(os.getpid())},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            self._living.add(process)
        return process

    def _end(self) -> None:
        with self._guard:
            self._is_over = True
            for process in self._living:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)


CHILDREN = Children()
"""Those of this process."""


def _leave(number: int, _: FrameType | None) -> NoReturn:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)
