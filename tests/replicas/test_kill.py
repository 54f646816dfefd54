"""SIGKILL at each named point of consuming: the replica ends as an undisturbed one does."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from bandstand import clock
from bandstand.events.backends import open_bus
from tests.replicas.world import state, told

KEYS = [f"city-{number}" for number in range(12)]


class Service:
    """The actor in its folder."""

    def __init__(self, folder):
        self.folder = folder
        self.running = []

    def start(self, action, **environment):
        command = [sys.executable, "-m", "tests.replicas.actor", str(self.folder), action]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **environment})
        self.running.append(process)
        return process

    def rows(self):
        with closing(sqlite3.connect(self.folder / "mirror.sqlite3", timeout=20)) as connection:
            return dict(connection.execute("SELECT name, population FROM project_city").fetchall())

    def close(self):
        for process in self.running:
            process.kill()
            process.wait()
            process.stdin.close()


@pytest.fixture
def service(tmp_path):
    found = Service(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("point", ["before_apply", "after_apply", "after_commit", "after_ack"])
def test_a_consumer_killed_in_the_middle_leaves_a_replica_that_converges(service, point):
    assert service.start("migrate").wait(60) == 0
    history = [told("founded", key, 1, **state(key)) for key in KEYS]
    history += [told("changed", key, number, **state(key, population=number)) for number in (2, 3, 4) for key in KEYS]
    history += [told("razed", key, 5) for key in KEYS[::3]]
    bus = open_bus(f"embedded:///{service.folder}/bus.sqlite3")
    bus.publish(history)
    dying = service.start("consumers", BANDSTAND_CRASH_AT=f"inbox.{point}", BANDSTAND_DATA=str(service.folder))
    assert dying.wait(60) == 137
    service.start("consumers")
    expected = {key: 4 for number, key in enumerate(KEYS) if number % 3}
    deadline = clock.monotonic() + 60
    while service.rows() != expected:
        assert clock.monotonic() < deadline, service.rows()
        clock.sleep(0.05)
    bus.close()
