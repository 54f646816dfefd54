"""Real servers for tests: each a process of its own, on a free port, in a folder of the test."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import IO

from bandstand import clock
from bandstand.engines import ENGINES
from bandstand.engines.ports import free_port

__all__ = ["RunningEngine"]

_TO_START = timedelta(seconds=60)
_TO_STOP = timedelta(seconds=20)


class RunningEngine:
    """An engine of `bandstand.engines` under test: it can be stopped, killed and started again on the same port.

    Raises bandstand.engines.Absent where the server is not installed. To be used as a context manager, by the main
    thread: the server dies with the thread that started it.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._engine = ENGINES[name]
        self._engine.binary()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """How clients reach it."""
        return self._engine.url(self.port)

    def start(self) -> None:
        """Start it and return once it answers. Raises RuntimeError with the end of its log when it does not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / "server.log"
        with log.open("ab") as output:
            self._process = self._spawn(output)
        deadline = clock.monotonic() + _TO_START.total_seconds()
        while not self._engine.is_ready(self.port):
            if self._process.poll() is not None or clock.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self._engine.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
            clock.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut does: SIGKILL to all its processes."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and kill it when it takes too long."""
        self._end(self._engine.stop_signal)

    def __enter__(self) -> "RunningEngine":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end(self._engine.quit_signal)

    def _spawn(self, output: IO[bytes]) -> "subprocess.Popen[bytes]":
        arguments = [self._engine.name, "--folder", str(self._folder / "data"), "--port", str(self.port)]
        return subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "bandstand.engines", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        _signal_group(process, number)
        try:
            process.wait(_TO_STOP.total_seconds())
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, number)
