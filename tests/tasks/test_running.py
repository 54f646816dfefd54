"""A worker runs what was committed, at least once, in the order asked for, until it succeeds or is given up."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connections, transaction

from bandstand import context
from bandstand.events import wakeups
from bandstand.tasks import store
from bandstand.tasks.api import TaskResultStatus, task_finished
from bandstand.tasks.config import TasksConfig
from bandstand.tasks.execution import execute
from bandstand.tasks.retention import purge
from bandstand.testing.clock import held_clock
from tests.tasks import jobs
from tests.tasks.staging import configured, eventually, rows, running, using

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database")]
LEASE = timedelta(seconds=30)


def claim(limit: int = 10, worker: str = "me") -> list[store.Claim]:
    store.wake(using=using())
    return store.claim("tasks", worker, limit=limit, lease=LEASE, using=using())


def run_all() -> None:
    """What the worker does, turned by hand."""
    while claims := claim():
        store.end([execute(each) for each in claims], using=using())


def test_a_committed_task_runs_and_its_result_can_be_read():
    with running():
        result = jobs.introduce.enqueue("ada")
        eventually(lambda: jobs.ran)
        eventually(lambda: result.refresh() or result.is_finished)
    assert jobs.ran == [("ada", result.id, 1)], "the id is the idempotency key"
    assert result.return_value == result.id
    assert (result.attempts, result.status) == (1, TaskResultStatus.SUCCESSFUL)
    assert result.enqueued_at <= result.started_at <= result.finished_at


def test_a_commit_wakes_the_worker_before_its_poll():
    with configured(SAFETY_POLL=timedelta(seconds=30)), running():
        jobs.note.enqueue("first")
        eventually(lambda: jobs.ran == [["first"]])
        with transaction.atomic(using=using()):
            jobs.note.enqueue("second")
        eventually(lambda: ["second"] in jobs.ran, seconds=5)


def test_hundreds_of_tasks_each_run_once():
    with transaction.atomic(using=using()):
        for number in range(300):
            jobs.note.enqueue(number)
    with running():
        eventually(lambda: rows().filter(state="successful").count() == 300)
    assert sorted(number for (number,) in jobs.ran) == list(range(300))


def test_the_most_urgent_runs_first_and_equals_in_their_order():
    for priority, name in ((0, "b"), (-5, "d"), (100, "a"), (0, "c")):
        jobs.note.using(priority=priority).enqueue(name)
    run_all()
    assert jobs.ran == [["a"], ["b"], ["c"], ["d"]]


def test_a_task_does_not_run_before_its_moment():
    with held_clock() as time:
        jobs.note.using(run_after=time.now() + timedelta(hours=1)).enqueue("late")
        time.advance(timedelta(minutes=59))
        run_all()
        assert jobs.ran == []
        time.advance(timedelta(minutes=1))
        run_all()
    assert jobs.ran == [["late"]]


def test_a_task_runs_within_the_correlation_and_trace_it_was_enqueued_in():
    with context.bound(context.Context(correlation_id="corr-0008")) as work:
        result = jobs.trace.enqueue()
    run_all()
    assert jobs.ran == [("corr-0008", work.trace_id, result.id)]


def test_a_coroutine_function_is_a_task_as_well():
    result = jobs.politely.enqueue("ada")
    run_all()
    assert jobs.politely.get_result(result.id).return_value == "ada"


def test_a_failing_task_is_tried_again_after_a_pause_until_it_succeeds():
    result = jobs.stumble.enqueue(2)
    with running():
        eventually(lambda: result.refresh() or result.is_finished)
    assert (result.return_value, result.attempts) == ("done", 3)


def test_a_task_that_keeps_failing_is_given_up_and_stays_visible():
    result = jobs.stumble.enqueue(99)
    with running():
        eventually(lambda: result.refresh() or result.is_finished)
    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is ValueError
    assert "attempt 3" in result.errors[0].traceback
    assert jobs.ran.count("stumble") == 3


def test_the_pauses_grow_to_the_cap():
    result = jobs.note.enqueue()
    rows().update(task="tests.tasks.jobs.gone")
    waits = []
    with held_clock() as time, configured(RETRY_BASE=timedelta(seconds=1), RETRY_CAP=timedelta(seconds=4), ATTEMPTS=6):
        rows().update(enqueued_at=time.now())
        while rows().get(pk=result.id).state != "failed":
            run_all()
            moment = rows().get().next_at
            if moment:
                waits.append((moment - time.now()).total_seconds())
                time.advance(waits[-1])
    assert len(waits) == 5
    assert all(0 <= wait <= bound for wait, bound in zip(waits, (1, 2, 4, 4, 4), strict=True))
    assert "there is no task tests.tasks.jobs.gone" in rows().get().reason


@pytest.mark.parametrize(("job", "reason"), [(jobs.unwritable, "ResultNotJson"), (jobs.leave, "SystemExit: 3")])
def test_what_a_function_raises_or_returns_never_ends_the_worker(job, reason):
    with configured(ATTEMPTS=1):
        job.enqueue()
        run_all()
    row = rows().get()
    assert (row.state, reason in row.reason) == ("failed", True)


def test_a_result_that_json_cannot_carry_is_not_tried_again():
    jobs.unwritable.enqueue()
    run_all()
    assert (rows().get().state, jobs.ran) == ("failed", ["unwritable"])


def test_a_result_that_is_too_large_fails_and_is_not_tried_again():
    with configured(MAX_TASK_BYTES=1000):
        fitting, bursting = jobs.inflate.enqueue(998), jobs.inflate.enqueue(999)
        run_all()
    assert rows().get(pk=fitting.id).state == "successful"
    row = rows().get(pk=bursting.id)
    assert (row.state, row.attempts, row.result) == ("failed", 1, None)
    assert row.reason == "ResultTooLarge: the result has 1001 bytes; 1000 are allowed: keep it and return its id"


def test_a_deduplicated_task_may_be_enqueued_again_once_it_has_ended():
    jobs.count_stock.enqueue(1)
    run_all()
    jobs.count_stock.enqueue(1)
    run_all()
    assert jobs.ran == [1, 1]


def test_two_workers_never_claim_the_same_task():
    for number in range(6):
        jobs.note.enqueue(number)
    mine, theirs = claim(4, "me"), claim(4, "you")
    assert (len(mine), len(theirs), claim()) == (4, 2, [])


def test_a_task_whose_worker_is_not_heard_of_runs_again_and_the_first_one_can_write_nothing():
    with held_clock() as time:
        jobs.note.enqueue()
        (first,) = claim()
        time.advance(LEASE - timedelta(seconds=1))
        assert claim() == []
        store.renew([first], lease=LEASE, using=using())
        time.advance(LEASE - timedelta(seconds=1))
        assert claim() == [], "it was kept"
        time.advance(timedelta(seconds=1))
        (second,) = claim()
        assert (second.id, second.attempts) == (first.id, 2)
        assert store.end([execute(first)], using=using()) == {first.id}
        assert rows().get().state == "running"
        assert store.renew([first], lease=LEASE, using=using()) == 0
        assert store.end([execute(second)], using=using()) == set()


def test_an_outcome_that_comes_late_counts_while_nobody_else_has_the_task():
    with held_clock() as time:
        jobs.note.enqueue()
        (first,) = claim()
        time.advance(LEASE)
        store.wake(using=using())
        assert store.end([execute(first)], using=using()) == set()
    assert rows().get().state == "successful"


def test_a_task_that_takes_its_worker_along_every_time_is_given_up():
    with held_clock() as time, configured(ATTEMPTS=3):
        jobs.note.enqueue()
        for _ in range(3):
            assert len(claim()) == 1
            time.advance(LEASE)
        run_all()
    row = rows().get()
    assert (row.state, jobs.ran) == ("failed", [])
    assert "its worker was lost at each of 3 attempts" in row.reason


def test_draining_finishes_what_has_begun_and_gives_back_the_rest():
    def open_when_given_back() -> None:
        eventually(lambda: rows().get(pk=second.id).state == "ready")
        jobs.gate.set()
        connections[using()].close()

    with configured(THREADS=1):
        first, second = jobs.wait_for_gate.enqueue("first"), jobs.wait_for_gate.enqueue("second")
        with running():
            eventually(lambda: jobs.ran == ["first began"])
            eventually(lambda: rows().get(pk=second.id).state == "running")
            watcher = threading.Thread(target=open_when_given_back)
            watcher.start()
        watcher.join()
    states = dict(rows().values_list("pk", "state"))
    assert [states[UUID(each.id)] for each in (first, second)] == ["successful", "ready"]
    assert jobs.ran == ["first began", "first ended"]


def test_what_is_given_back_has_not_cost_an_attempt():
    jobs.note.enqueue()
    store.release(claim(), using=using())
    (again,) = claim()
    assert (again.attempts, again.fence) == (1, 2)


def test_those_who_listen_are_told_the_end_of_a_task():
    heard = []

    def hear(task_result, **_):
        heard.append((task_result.status, task_result.return_value))

    task_finished.connect(hear)
    try:
        with running():
            jobs.note.enqueue("x")
            eventually(lambda: heard)
    finally:
        task_finished.disconnect(hear)
    assert heard == [(TaskResultStatus.SUCCESSFUL, 1)]


def test_ended_tasks_are_forgotten_after_their_retention_and_failed_ones_never():
    config = TasksConfig(database=using(), result_retention=timedelta(hours=1))
    with held_clock() as time, configured(ATTEMPTS=1):
        jobs.note.enqueue()
        jobs.leave.enqueue()
        run_all()
        time.advance(timedelta(minutes=59))
        assert purge(config) == 0
        time.advance(timedelta(minutes=2))
        assert purge(config) == 1
        assert [row.state for row in rows().all()] == ["failed"]


def test_waking_nobody_is_harmless():
    wakeups.wake("tasks")
