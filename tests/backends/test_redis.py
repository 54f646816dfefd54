"""The Redis bus passes the suite on real servers; what is its own is in `test_redis_*.py`."""

from uuid import uuid4

import pytest

from bandstand.testing.engines import RunningEngine
from tests.backends.suite import BusSuite, History, Restarts, SingleReader, Trimming


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with RunningEngine("valkey", tmp_path_factory.mktemp("valkey")) as server:
        yield server


class TestRedisBus(BusSuite, SingleReader, History, Trimming):
    """Valkey with every write on disk; a prefix for each test."""

    @pytest.fixture
    def url(self, shared):
        return f"{shared.url}?prefix={uuid4().hex}"


class TestRestartsOfTheServer(Restarts):
    """A server for each test, which it may kill."""

    @pytest.fixture
    def server(self, tmp_path):
        with RunningEngine("valkey", tmp_path) as server:
            yield server

    @pytest.fixture
    def url(self, server):
        return server.url
