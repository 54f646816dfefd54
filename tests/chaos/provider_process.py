"""The simulator as a process of its own, on a free port."""

import subprocess
import sys
import threading
from pathlib import Path

__all__ = ["ProviderProcess"]


class ProviderProcess:
    """Start, stop, kill and restart one simulator; it keeps its ledger and its port."""

    def __init__(self, ledger: Path, *options: str) -> None:
        self.ledger, self._options, self._port = ledger, options, "0"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "bandstand.chaos.provider", "--ledger", str(self.ledger), "--port", self._port]
        self.process = subprocess.Popen([*command, *self._options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        timer = threading.Timer(20, self.process.kill)
        timer.start()
        self.url = self.process.stdout.readline().strip()
        timer.cancel()
        assert self.url, "the simulator did not start"
        self._port = self.url.rpartition(":")[2]

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self._reap()

    def stop(self) -> int:
        """End it as a deployment does, and return its exit code."""
        self.process.terminate()
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code
