"""The worker: what is durable when, who may write, what is called, and how it ends."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from bandstand.sagas import SagaExecution, SagaStepLog, host, request_cancel, starting
from tests.sagas.shop import Checkout, order_history


def test_a_saga_runs_to_its_end_with_a_log_of_intents_and_outcomes(stage):
    saga_id = stage.start("a1")
    row = stage.settle(saga_id)
    assert (row.status, row.reason, row.owner, row.lease_until) == ("completed", "", None, None)
    steps = ["validate", "reserve", "capture", "commit", "confirm"]
    assert stage.log(saga_id) == [f"do {step} 1 {outcome}" for step in steps for outcome in ("intent", "ok")]
    assert order_history("a1") == ["confirmed", "completed:"]
    assert row.context_data == {"order": "a1", "confirmed_by": f"{saga_id}:confirm"}
    lines = SagaStepLog.objects.filter(saga_id=saga_id).exclude(outcome="begun")
    assert {line.key for line in lines} == {f"{saga_id}:{step}" for step in steps}


def commits(queries: CaptureQueriesContext) -> int:
    """How many transactions wrote a wave; where a statement is enough, it is one of its own."""
    count, is_open = 0, False
    for text in (query["sql"].strip() for query in queries):
        begins, ends = text.startswith("BEGIN"), text in ("COMMIT", "ROLLBACK")
        count += text == "COMMIT" or (text.startswith("WITH") and not is_open)
        is_open = begins or (is_open and not ends)
    return count


def test_five_steps_alone_take_five_commits(stage):
    with CaptureQueriesContext(connection) as queries:
        stage.start("a2")
        stage.drive()
    assert SagaExecution.objects.get().status == "completed"
    assert commits(queries) == 5


def test_many_sagas_share_their_commits(stage):
    with CaptureQueriesContext(connection) as queries:
        with transaction.atomic():
            for number in range(20):
                stage.start(f"many{number}")
        stage.worker.turn()
        while jobs := stage.pool.jobs[:]:
            stage.pool.jobs.clear()
            for job in jobs:
                job()
            stage.worker.turn()
    assert SagaExecution.objects.filter(status="completed").count() == 20
    assert commits(queries) == 5


def test_a_saga_of_a_transaction_that_rolls_back_never_was(stage):
    with transaction.atomic():
        stage.start("a3")
        transaction.set_rollback(True)
    stage.drive()
    assert (stage.shop.calls, SagaExecution.objects.count()) == ([], 0)


def test_a_second_start_for_the_same_business_key_is_no_start(stage):
    stage.settle(stage.start("a4"))
    assert starting.start(Checkout, "a4") is None
    stage.drive()
    assert stage.shop.participants.applied("charged") == 1


def test_a_refusal_undoes_and_ends_compensated_with_its_reason(stage):
    stage.shop.order("capture.do", "refuse")
    saga_id = stage.start("a5")
    row = stage.settle(saga_id)
    assert (row.status, row.reason) == ("compensated", "capture_refused")
    assert stage.shop.calls[-2:] == ["reserve.undo", "ended"]
    assert stage.shop.participants.net("held") == 0
    assert order_history("a5") == ["compensated:capture_refused"]


@pytest.mark.parametrize("fault", ["lost_reply", "lost_request", "late", "error", "unsent"])
def test_an_unclear_answer_is_repeated_with_the_same_key(stage, fault):
    stage.shop.order("capture.do", fault, fault)
    row = stage.settle(stage.start("a6"))
    stage.shop.deliver_late()
    assert row.status == "completed"
    assert stage.shop.participants.applied("charged") == 1


def test_a_payment_that_stays_unknown_is_cancelled_and_stays_so_when_it_arrives_late(stage):
    stage.shop.order("capture.do", "always:late")
    row = stage.settle(stage.start("a7"))
    assert (row.status, row.reason) == ("cancelled", "deadline")
    stage.shop.deliver_late()
    assert (stage.shop.participants.net("charged"), stage.shop.participants.net("held")) == (0, 0)


def test_an_undo_that_fails_is_parked_visibly_and_ends_when_the_participant_is_back(stage):
    stage.shop.order("capture.do", "refuse")
    stage.shop.order("reserve.undo", "always:error")
    saga_id = stage.start("a8")
    for _ in range(300):
        stage.drive()
        stage.clock.advance(1)
    row = stage.row(saga_id)
    assert row.status == "compensation_failed"
    assert "HTTP 500" in row.error
    assert order_history("a8") == []
    stage.shop.order("reserve.undo")
    assert stage.settle(saga_id).status == "compensated"


def test_a_wish_to_cancel_ends_cancelled_with_everything_undone(stage):
    saga_id = stage.start("a9")
    stage.worker.turn()
    stage.pool.run()
    stage.worker.turn()
    assert request_cancel(Checkout, "a9")
    row = stage.settle(saga_id)
    assert (row.status, row.reason) == ("cancelled", "requested")
    assert stage.shop.participants.net("held") == 0
    assert not request_cancel(Checkout, "a9")


def test_behind_the_pivot_a_wish_to_cancel_changes_nothing(stage):
    stage.shop.order("commit.do", "lost_request", "lost_request")
    saga_id = stage.start("b1")
    stage.drive()
    assert stage.row(saga_id).status == "unknown"
    assert request_cancel(Checkout, "b1")
    assert stage.settle(saga_id).status == "completed"


def test_a_dead_workers_sagas_are_taken_over_when_their_leases_run_out(stage):
    saga_id = stage.start("b2")
    stage.worker.turn()
    stage.employ()
    stage.drive()
    assert stage.shop.calls == []
    stage.clock.advance(timedelta(seconds=11))
    assert stage.settle(saga_id).status == "completed"
    assert stage.row(saga_id).epoch == 2
    assert "do validate 2 intent" in stage.log(saga_id)


def test_a_lease_that_was_written_late_is_found_with_the_next_sweep(stage):
    """Its moment lies before what the worker has looked through: a transaction that took long has committed."""
    stage.drive()
    host.install_worker(None)
    saga_id = stage.start("b8")
    SagaExecution.objects.update(lease_until=stage.clock.now() - timedelta(minutes=1))
    stage.drive()
    assert stage.row(saga_id).epoch == 1
    stage.clock.advance(timedelta(seconds=11))
    assert stage.settle(saga_id).status == "completed"


def test_a_stale_worker_writes_nothing(stage):
    saga_id = stage.start("b3")
    stage.worker.turn()
    stale, its_pool = stage.worker, stage.pool
    stage.clock.advance(11)
    stage.employ()
    stage.drive()
    log = stage.log(saga_id)
    its_pool.run()
    stale.turn()
    assert stage.log(saga_id) == log
    assert its_pool.jobs == []
    assert stage.row(saga_id).status == "completed"


def test_a_slow_worker_keeps_its_sagas_by_heartbeat(stage):
    saga_id = stage.start("b4")
    for _ in range(20):
        stage.clock.advance(3)
        stage.worker.turn()
    assert stage.row(saga_id).lease_until > stage.clock.now()
    stage.employ()
    stage.worker.turn()
    assert stage.row(saga_id).epoch == 1


def test_a_hold_is_renewed_while_the_saga_goes_forward(stage):
    stage.shop.order("commit.do", "always:lost_request")
    saga_id = stage.start("b5")
    for _ in range(200):
        stage.drive()
        stage.clock.advance(1)
    assert stage.shop.calls.count("reserve.do") == 4
    assert stage.shop.participants.applied("held") == 1
    stage.shop.order("commit.do")
    assert stage.settle(saga_id).status == "completed"


def test_an_end_whose_follow_up_fails_is_tried_again_with_the_local_steps_kept(stage, caplog):
    def fail():
        raise ZeroDivisionError

    calls = stage.shop.call
    broken = iter([True, True])
    stage.shop.call = lambda name, apply: fail() if name == "ended" and next(broken, False) else calls(name, apply)
    row = stage.settle(stage.start("b6"))
    assert row.status == "completed"
    assert order_history("b6") == ["confirmed", "completed:"]


def test_a_local_step_that_fails_leaves_nothing_and_is_repeated(stage):
    stage.shop.order("confirm.do", "error", "refuse")
    row = stage.settle(stage.start("b7"))
    assert row.status == "completed"
    assert order_history("b7") == ["confirmed", "completed:"]


def test_without_a_worker_here_a_saga_waits_for_one_elsewhere(stage):
    host.install_worker(None)
    saga_id = stage.start("b8")
    assert stage.row(saga_id).owner is None
    assert stage.log(saga_id) == []
    stage.clock.advance(1)
    assert stage.settle(saga_id).status == "completed"


def test_a_leaving_worker_gives_its_sagas_to_the_next(stage):
    stage.shop.order("commit.do", "lost_request")
    saga_id = stage.start("b9")
    stage.drive()
    stage.worker.leave()
    assert stage.row(saga_id).owner is None
    stage.employ()
    stage.clock.advance(1)
    assert stage.settle(saga_id).status == "completed"
