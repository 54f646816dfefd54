"""The worker as a loop of a process: real threads, real time, real contention."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from bandstand import clock, context
from bandstand.lifecycle import start_loops
from bandstand.observability import tracing
from bandstand.sagas import SagaExecution, host, runner, starting
from bandstand.sagas.runs import read_state
from tests.sagas.shop import Checkout, Participants, Shop, open_shop


def eventually(condition, *, seconds=20):
    deadline = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < deadline, "it did not become true in time"
        clock.sleep(0.005)


@pytest.fixture
def shop(transactional_db):
    return open_shop(Shop(Participants()))


@pytest.fixture
def worker(shop):
    worker = start_loops(["sagas"])
    eventually(host.worker)
    yield worker
    worker.drain(timedelta(seconds=20))
    assert host.worker() is None


def open_sagas():
    return SagaExecution.objects.filter(lease_until__isnull=False).count()


def test_sagas_started_by_many_threads_all_end(worker, shop):
    shop.order("capture.do", "lost_reply", "error", "unsent", "lost_request")

    def place(first):
        for number in range(first, first + 10):
            starting.start(Checkout, f"order-{number}")
        connection.close()

    threads = [threading.Thread(target=place, args=(start,)) for start in range(0, 60, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: SagaExecution.objects.count() == 60 and not open_sagas())
    assert set(SagaExecution.objects.values_list("status", flat=True)) == {"completed"}
    assert shop.participants.applied("charged") == 60


def test_what_a_process_without_a_worker_started_is_found(shop):
    starting.start(Checkout, "left-behind")
    worker = start_loops(["sagas"])
    eventually(lambda: not open_sagas())
    worker.drain(timedelta(seconds=20))
    assert SagaExecution.objects.get().status == "completed"


def test_draining_waits_for_the_call_under_way_and_leaves_no_lease(worker, shop):
    called, go_on = threading.Event(), threading.Event()
    calls = shop.call

    def slow(name, apply):
        if name == "reserve.do":
            called.set()
            go_on.wait(10)
        calls(name, apply)

    shop.call = slow
    starting.start(Checkout, "drained")
    assert called.wait(10)
    threading.Timer(0.1, go_on.set).start()
    worker.drain(timedelta(seconds=10))
    row = SagaExecution.objects.get()
    assert (row.owner, row.step, read_state(row.state).done) == (None, "capture", ("validate", "reserve"))


def test_steps_run_in_the_context_and_the_trace_of_what_started_them(worker):
    cause = context.Context(correlation_id="a-correlation-id")
    tracing.drain_spans()
    with context.bound(cause):
        saga_id = starting.start(Checkout, "traced")
    eventually(lambda: not open_sagas())
    spans = [span for span in tracing.recorded_spans() if span.trace_id == cause.trace_id]
    assert [span.name for span in spans][:2] == ["saga test_checkout validate do", "saga test_checkout reserve do"]
    assert SagaExecution.objects.get(pk=saga_id).correlation_id == "a-correlation-id"


def test_a_wave_that_breaks_is_read_anew_and_done_again(stage, monkeypatch, caplog):
    """The commit may have happened or not: nothing in memory is trusted, and no outcome is lost for good."""
    persist, breaks = runner.persist, iter([True, False, True])

    def break_after_the_commit(inputs, tenure):
        result = persist(inputs, tenure)
        if next(breaks, False):
            raise OperationalError("the connection broke")
        return result

    monkeypatch.setattr(runner, "persist", break_after_the_commit)
    saga_id = stage.start("w1")
    assert stage.settle(saga_id).status == "completed"
    assert stage.shop.participants.applied("charged") == 1
    assert "saga.wave_failed" in caplog.text


def test_one_saga_that_breaks_the_wave_does_not_hold_up_the_others(stage, monkeypatch, caplog):
    class Odd(Checkout):
        name = "worker_odd"

    persist = runner.persist

    def break_with_the_odd_one(inputs, tenure):
        if any(one.run.saga.name == "worker_odd" for one in inputs):
            raise OperationalError("this row cannot be written")
        return persist(inputs, tenure)

    monkeypatch.setattr(runner, "persist", break_with_the_odd_one)
    with transaction.atomic():
        odd = starting.start(Odd, "odd")
        even = stage.start("even")
    stage.worker.turn()
    for job in [stage.pool.run, stage.pool.run]:
        job()
    stage.worker.turn()
    assert stage.settle(even).status == "completed"
    assert stage.row(odd).status == "running"
