"""SIGKILL at any moment, in any role: nothing lost, nothing invented, nothing applied twice, order kept."""

import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing

import pytest

from bandstand import clock

POINTS = [("shop", f"outbox.{point}", "relay") for point in ("before_publish", "after_publish", "after_mark")] + [
    ("mirror", f"inbox.{point}", "consumers") for point in ("before_apply", "after_apply", "after_commit", "after_ack")
]


class Theatre:
    """Two services in processes of their own."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        for service in ("shop", "mirror"):
            assert self.start(service, "migrate").wait(30) == 0

    def start(self, service, *arguments, **environment):
        command = [sys.executable, "-m", "tests.events.actor", service, str(self.folder), *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **environment})
        self.processes.append(process)
        return process

    def rows(self, service, statement):
        with closing(sqlite3.connect(self.folder / f"{service}.sqlite3", timeout=20)) as connection:
            return connection.execute(statement).fetchall()

    def facts(self):
        return [number for (number,) in self.rows("shop", "SELECT number FROM fact")]

    def effects(self):
        return self.rows("mirror", "SELECT number, subject FROM effect ORDER BY id")

    def wait_for(self, condition, seconds=15):
        deadline = clock.monotonic() + seconds
        while not condition():
            assert clock.monotonic() < deadline, "it did not become true in time"
            clock.sleep(0.02)

    def settle(self):
        """Let both loops finish their work and end in good order."""
        loops = [self.start("shop", "relay"), self.start("mirror", "consumers")]
        self.wait_for(lambda: len({number for number, _ in self.effects()}) == len(self.facts()))
        for loop in loops:
            loop.stdin.close()
            assert loop.wait(15) == 0

    def audit(self):
        facts, effects = self.facts(), self.effects()
        counts = Counter(number for number, _ in effects)
        assert {"lost": set(facts) - set(counts), "phantom": set(counts) - set(facts)} == {
            "lost": set(),
            "phantom": set(),
        }
        assert [number for number, times in counts.items() if times > 1] == []
        for subject in {subject for _, subject in effects}:
            mine = [number for number, each in effects if each == subject]
            assert mine == sorted(mine)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
            process.stdin.close()


@pytest.fixture
def theatre(tmp_path):
    found = Theatre(tmp_path)
    yield found
    found.close()


def test_random_kills_of_every_role_lose_and_double_nothing(theatre):
    dice = random.Random(20)
    roles = {
        "publisher": ("shop", "publish", "100000"),
        "relay": ("shop", "relay"),
        "consumers": ("mirror", "consumers"),
    }
    running = {role: theatre.start(*arguments) for role, arguments in roles.items()}
    theatre.wait_for(lambda: len(theatre.effects()) > 50)
    for _ in range(4):
        for role in dice.sample(sorted(roles), len(roles)):
            wanted = len(theatre.facts()) + dice.randint(1, 40)
            running[role].kill()
            running[role].wait()
            running[role] = theatre.start(*roles[role])
            theatre.wait_for(lambda wanted=wanted: len(theatre.facts()) >= wanted)
    for process in running.values():
        process.kill()
        process.wait()
    theatre.settle()
    theatre.audit()
    assert len(theatre.facts()) > 100


@pytest.mark.parametrize(("service", "point", "loop"), POINTS, ids=[point for _, point, _ in POINTS])
def test_a_crash_at_each_named_point_loses_and_doubles_nothing(theatre, service, point, loop):
    assert theatre.start("shop", "publish", "20").wait(15) == 0
    crash = {"BANDSTAND_CRASH_AT": point, "BANDSTAND_DATA": str(theatre.folder)}
    dying = theatre.start(service, loop, **crash)
    helper = theatre.start("shop", "relay") if service == "mirror" else None
    assert dying.wait(15) == 137
    assert list((theatre.folder / "crash").iterdir())
    if helper is not None:
        helper.stdin.close()
        helper.wait(15)
    theatre.settle()
    theatre.audit()
