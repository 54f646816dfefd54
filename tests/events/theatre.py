"""Services in processes of their own, to be killed, and what must hold afterwards."""

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing

from bandstand import clock

__all__ = ["Theatre"]


class Theatre:
    """Two services in processes of their own, on the embedded bus or on that of *bus_url*."""

    def __init__(self, folder, *, bus_url=""):
        self.folder = folder
        self.environment = {"TEST_BUS_URL": bus_url or f"embedded:///{folder}/bus.sqlite3"}
        self.processes = []
        for service in ("shop", "mirror"):
            assert self.start(service, "migrate").wait(30) == 0

    def start(self, service, *arguments, **environment):
        command = [sys.executable, "-m", "tests.events.actor", service, str(self.folder), *arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, env={**os.environ, **self.environment, **environment}
        )
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

    def settle(self, *, seconds=15):
        """Let both loops finish their work and end in good order."""
        loops = [self.start("shop", "relay"), self.start("mirror", "consumers")]
        self.wait_for(lambda: len({number for number, _ in self.effects()}) == len(self.facts()), seconds)
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
