"""Where the tests of the Kafka bus find a cluster, and the mock cluster as a process."""

import os
import signal
import subprocess
import sys

__all__ = ["REAL", "TIMES", "MockCluster"]

REAL = os.environ.get("BANDSTAND_TEST_KAFKA", "")

# The mock cluster answers a waiting fetch only when its time is over, and lets the next member of a group wait for a
# second less than the session lasts. A real broker does neither, and wants sessions of six seconds at least.
TIMES = "session_timeout_ms=6000" if REAL else "session_timeout_ms=2000&fetch_wait_ms=20"


class MockCluster:
    """A process that can be halted and resumed. What it holds is in memory, so it cannot be killed and keep it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.backends.kafka_mock"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.address = self._process.stdout.readline().strip()

    def kill(self) -> None:
        """Halt it: connections stay open and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # its threads may still answer for a moment

    def start(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
