"""What would stop a worker for good if it were not foreseen: odd texts, odd listeners, a database that was away."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError

from bandstand import clock
from bandstand.tasks import execution, store, task
from bandstand.tasks.api import task_finished
from bandstand.tasks.worker import TasksLoop
from bandstand.testing.clock import held_clock
from tests.tasks import jobs
from tests.tasks.staging import configured, eventually, rows, running, using

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]

LONE = "caf\udce9 \x00"
"""As a file name in another encoding, and what PostgreSQL has no character for."""


class _Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@task
def stumble_oddly() -> None:
    raise FileNotFoundError(LONE)


@task
def stumble_mutely() -> None:
    raise _Mute


@pytest.mark.parametrize(
    ("job", "reason"), [(stumble_oddly, r"FileNotFoundError: caf\udce9 \x00"), (stumble_mutely, "_Mute")]
)
def test_a_reason_that_no_database_can_keep_stops_nobody_else(job, reason):
    with configured(ATTEMPTS=1), running():
        job.enqueue()
        jobs.note.enqueue("another")
        eventually(lambda: rows().filter(state="failed").exists() and jobs.ran)
    assert rows().get(state="failed").reason.startswith(reason)


def test_a_thread_outlives_a_database_that_goes_away_while_a_task_fails(monkeypatch):
    real, away = execution.clock.database_now, iter([False, True])

    def database_now(alias: str):
        if threading.current_thread().name.startswith("bandstand-task-") and next(away, False):
            raise OperationalError("the server closed the connection")
        return real(alias)

    monkeypatch.setattr(execution.clock, "database_now", database_now)
    with configured(THREADS=1, RETRY_BASE=timedelta(milliseconds=1), RETRY_CAP=timedelta(milliseconds=1)), running():
        jobs.stumble.enqueue(1)
        jobs.note.enqueue("another")
        eventually(lambda: rows().filter(state="successful").count() == 2)


def test_a_listener_that_raises_ends_neither_worker_nor_task(caplog):
    def hear(**_):
        raise ValueError("not now")

    task_finished.connect(hear)
    try:
        with running():
            jobs.note.enqueue("a")
            eventually(lambda: rows().filter(state="successful").count() == 1)
            jobs.note.enqueue("b")
            eventually(lambda: rows().filter(state="successful").count() == 2)
    finally:
        task_finished.disconnect(hear)
    assert sorted(jobs.ran) == [["a"], ["b"]]
    assert "loop.crashed" not in caplog.messages


def test_a_worker_keeps_what_it_runs_when_the_database_was_away_for_longer_than_the_lease():
    """Else it would claim its own running task, and run it twice at once."""
    with configured(THREADS=2):
        jobs.wait_for_gate.enqueue("long")
        loop = TasksLoop()
        loop._turn(threading.Event())
        eventually(lambda: jobs.ran == ["long began"])
        rows().update(next_at=clock.now() - timedelta(seconds=1))
        loop._renew_at = clock.monotonic()
        loop._turn(threading.Event())
        row = rows().get()
        assert (row.state, row.attempts) == ("running", 1)
        assert row.next_at > clock.now()
        jobs.gate.set()
        eventually(lambda: loop._turn(threading.Event()) is not None and not loop._held)
        loop._pool.close()
        loop._waiter.close()
    assert jobs.ran == ["long began", "long ended"]
    assert rows().get().state == "successful"


def test_a_lapsed_claim_that_nobody_took_can_be_kept_again():
    with held_clock() as time:
        jobs.note.enqueue()
        (claim,) = store.claim("tasks", "me", limit=1, lease=timedelta(seconds=30), using=using())
        time.advance(timedelta(seconds=31))
        assert store.wake(using=using()) == 1
        assert store.renew([claim], lease=timedelta(seconds=30), using=using()) == 1
        assert rows().get().state == "running"
