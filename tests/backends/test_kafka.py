"""The Kafka bus passes the suite, against librdkafka's mock cluster: no Kafka broker, but the protocol over TCP.

With BANDSTAND_TEST_KAFKA=host:port the same runs against a real broker, except where its process must be stopped.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.backends.sharing import SharedReaders
from tests.backends.suite import BusSuite, History, Restarts

pytest.importorskip("confluent_kafka", reason="the extra kafka is not installed")


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

    def start(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    if REAL:
        yield REAL
        return
    cluster = MockCluster()
    yield cluster.address
    cluster.close()


@pytest.fixture
def url(brokers):
    return f"kafka://{brokers}/?prefix=t{uuid4().hex}&partitions=4&{TIMES}"


class TestKafkaBus(BusSuite, History, SharedReaders):
    """One topic per publishing service, one consumer group per group."""


@pytest.mark.skipif(bool(REAL), reason="a broker that is not ours is not halted")
class TestOutages(Restarts):
    """The mock cluster halted and resumed: nobody answers for a while. It cannot lose what it holds, nor prove that."""

    @pytest.fixture
    def server(self) -> Iterator[MockCluster]:
        cluster = MockCluster()
        yield cluster
        cluster.close()

    @pytest.fixture
    def url(self, server):
        return f"kafka://{server.address}/?{TIMES}"
