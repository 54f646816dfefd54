"""The Kafka bus passes the suite, against librdkafka's mock cluster: no Kafka broker, but the protocol over TCP.

With BANDSTAND_TEST_KAFKA=host:port the same runs against a real broker, except where its process must be stopped.
"""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.backends.kafka_servers import REAL, TIMES, MockCluster
from tests.backends.sharing import SharedReaders
from tests.backends.suite import BusSuite, History, Restarts

pytest.importorskip("confluent_kafka", reason="the extra kafka is not installed")


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
