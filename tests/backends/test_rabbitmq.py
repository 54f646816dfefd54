"""The RabbitMQ bus passes the suite on a real server; what is its own is in `test_rabbitmq_*.py`."""

from uuid import uuid4

import pytest

from bandstand import clock
from bandstand.testing.engines import RunningEngine
from tests.backends.suite import BusSuite, History, Restarts, SingleReader
from tests.servers import rabbitmq_knows_its_queues, skip_where_absent

skip_where_absent("rabbitmq")


class Mortal:
    """A server that is killed only once it could find its queues again."""

    def __init__(self, engine, folder):
        self._engine = engine
        self._folder = folder

    def kill(self):
        deadline = clock.monotonic() + 60
        while not rabbitmq_knows_its_queues(self._folder):
            assert clock.monotonic() < deadline, "the server does not write down its queues"
            clock.sleep(0.05)
        self._engine.kill()

    def start(self):
        self._engine.start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with RunningEngine("rabbitmq", tmp_path_factory.mktemp("rabbitmq")) as engine:
        yield engine


class TestRabbitBus(BusSuite, SingleReader, History):
    """One server, and a prefix for each test."""

    @pytest.fixture
    def url(self, shared):
        return f"{shared.url}?prefix={uuid4().hex}"


class TestRestartsOfTheServer(Restarts):
    """A server for each test, which it may kill."""

    @pytest.fixture
    def engine(self, tmp_path):
        with RunningEngine("rabbitmq", tmp_path) as engine:
            yield engine

    @pytest.fixture
    def server(self, engine, tmp_path):
        return Mortal(engine, tmp_path)

    @pytest.fixture
    def url(self, engine):
        return engine.url
