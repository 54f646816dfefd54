"""The loops of a service on every bus: one behaviour."""

from uuid import uuid4

import pytest

from bandstand.testing.engines import RunningEngine
from tests.backends.kafka_servers import TIMES, MockCluster
from tests.backends.loops import LoopSuite, ReplaySuite


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    with RunningEngine("valkey", tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("confluent_kafka", reason="the extra kafka is not installed")
    cluster = MockCluster()
    yield cluster
    cluster.close()


class TestLoopsOnTheEmbeddedBus(LoopSuite, ReplaySuite):
    """One file."""

    @pytest.fixture
    def url(self, tmp_path):
        return f"embedded:///{tmp_path}/bus.sqlite3"


class TestLoopsOnRedis(LoopSuite, ReplaySuite):
    """A real Valkey."""

    @pytest.fixture
    def url(self, valkey):
        return f"{valkey.url}?prefix={uuid4().hex}"


class TestLoopsOnKafka(LoopSuite, ReplaySuite):
    """librdkafka's mock cluster over TCP, no Kafka broker."""

    @pytest.fixture
    def url(self, cluster):
        return f"kafka://{cluster.address}/?prefix=t{uuid4().hex}&partitions=4&{TIMES}"
