"""Workers are killed at every moment; each committed task takes effect, and none that rolled back."""

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing

import psycopg
import pytest

from bandstand import clock
from bandstand.lifecycle.crashpoints import EXIT_STATUS
from tests.events import postgres

TASKS = 400
POINTS = ("tasks.after_claim", "tasks.after_run", "tasks.after_end")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A database of its own for the actors."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/actor.sqlite3"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"killed_{os.getpid()}_{random.randrange(10**6)}"
    postgres.administer(server, f"CREATE DATABASE {name}")
    yield server.url.rpartition("/")[0] + f"/{name}"
    postgres.administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def actor(url, folder, *words, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tasks.actor", url, str(folder), *words],
        stdin=subprocess.PIPE,
        env=os.environ | environment,
    )


def finish(process) -> None:
    process.communicate()
    assert process.returncode == 0


def read(url, statement):
    """The rows of a statement, read as a stranger does."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite://"), timeout=30)) as found:
            return found.execute(statement).fetchall()
    with psycopg.connect(url) as found:
        return found.execute(statement).fetchall()


def unfinished(url) -> int:
    return read(url, "SELECT count(*) FROM bandstand_tasks_task WHERE state <> 'successful'")[0][0]


def settled(url, folder, *, enqueuing=None, workers=1, kills=0) -> int:
    """Let workers run until nothing is left, killing one now and then; return how many were killed."""
    with ExitStack() as stack:
        running = [stack.enter_context(actor(url, folder, "work")) for _ in range(workers)]
        killed, deadline, next_kill = 0, clock.monotonic() + 90, clock.monotonic() + 1.5
        while unfinished(url) or (enqueuing is not None and enqueuing.poll() is None):
            assert clock.monotonic() < deadline, f"{unfinished(url)} tasks are unfinished"
            clock.sleep(0.05)
            if killed < kills and clock.monotonic() > next_kill:
                next_kill = clock.monotonic() + random.uniform(1, 2)
                victim = random.randrange(workers)
                running[victim].kill()
                killed += 1
                running[victim] = stack.enter_context(actor(url, folder, "work"))
        for each in running:
            finish(each)
    return killed


def judge(url) -> None:
    facts = sorted(number for (number,) in read(url, "SELECT number FROM fact"))
    effects = read(url, "SELECT number, count(DISTINCT task) FROM effect GROUP BY number")
    assert facts == sorted(number for number, _ in effects), "a task was lost, or ran though it was rolled back"
    assert {tasks for _, tasks in effects} == {1}, "every repetition has the id of the first run"


def test_committed_tasks_outlive_their_workers(url, tmp_path):
    finish(actor(url, tmp_path, "migrate"))
    with actor(url, tmp_path, "enqueue", str(TASKS)) as enqueuing:
        killed = settled(url, tmp_path, enqueuing=enqueuing, workers=2, kills=5)
    assert enqueuing.returncode == 0
    assert killed
    judge(url)


def test_workers_may_die_after_any_step(url, tmp_path):
    finish(actor(url, tmp_path, "migrate"))
    finish(actor(url, tmp_path, "enqueue", "40"))
    for point in POINTS:
        worker = actor(url, tmp_path, "work", BANDSTAND_CRASH_AT=point, BANDSTAND_DATA=str(tmp_path))
        assert worker.wait(30) == EXIT_STATUS
        worker.stdin.close()
    settled(url, tmp_path)
    judge(url)
