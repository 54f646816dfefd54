"""The loops of a service on RabbitMQ, and beside it an event store."""

from uuid import uuid4

import pytest

from bandstand.testing.engines import RunningEngine
from tests.backends.loops import LoopSuite, ReplaySuite
from tests.servers import skip_where_absent

skip_where_absent("rabbitmq")


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory):
    with RunningEngine("rabbitmq", tmp_path_factory.mktemp("rabbitmq")) as engine:
        yield engine


@pytest.fixture
def url(rabbitmq):
    return f"{rabbitmq.url}?prefix={uuid4().hex}"


class TestLoopsOnRabbitMQ(LoopSuite, ReplaySuite):
    """One server, and a prefix for each test."""


class TestAnEventStoreBesideRabbitMQ(LoopSuite, ReplaySuite):
    """With a store, nothing is different."""

    @pytest.fixture
    def store(self, tmp_path):
        return f"embedded:///{tmp_path}/store.sqlite3"
