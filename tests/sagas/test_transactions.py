"""What a transaction holds together: a saga and its cause, a step and its log; and by whose clock it is read."""

from pathlib import Path

from django.db import transaction

from bandstand import sagas
from bandstand.sagas import Parallel, Saga, SagaExecution, SagaStep, starting
from bandstand.sagas.signals import SignalName, send
from tests.sagas.shop import Checkout, order_history, write_history


class Pair(Saga):
    name = "transactions_pair"
    steps = (
        Parallel(
            "both",
            SagaStep("left", do=lambda call: {"left": 1}, no_undo="it only counts"),
            SagaStep("right", do=lambda call: {"right": 2}, no_undo="it only counts"),
        ),
    )

    def begin(self, event: str) -> tuple[str, dict[str, object]]:
        return event, {"order": event}


def test_what_two_branches_return_at_once_is_merged(stage):
    saga_id = starting.start(Pair, "t4")
    stage.worker.turn()
    assert len(stage.pool.jobs) == 2
    while stage.pool.run():
        pass
    stage.drive()
    assert stage.row(saga_id).context_data == {"order": "t4", "left": 1, "right": 2}


def test_a_cause_that_is_rolled_back_has_started_nothing_and_called_nobody(stage):
    with transaction.atomic():
        starting.start(Checkout, "t1")
        transaction.set_rollback(True)
    stage.drive()
    assert stage.shop.calls == []
    assert not SagaExecution.objects.exists()


def test_what_a_local_step_wrote_before_it_failed_is_rolled_back(stage):
    assert order_history("t2") == []
    calls, failures = stage.shop.call, iter([True])

    def write_and_fail(name, apply):
        calls(name, apply)
        if name == "confirm.do" and next(failures, False):
            write_history("t2", "half done")
            raise ZeroDivisionError

    stage.shop.call = write_and_fail
    assert stage.settle(stage.start("t2")).status == "completed"
    assert order_history("t2") == ["confirmed", "completed:"]


def test_what_was_said_is_taken_in_once(stage):
    stage.shop.order("commit.do", "always:refuse")  # behind the pivot: the next attempt is a minute away
    saga_id = stage.start("t3")
    stage.drive()
    assert stage.shop.calls.count("commit.do") == 1
    send(saga_id, SignalName.RETRY)
    for _ in range(10):
        stage.worker.turn()
        stage.pool.run()
        stage.clock.advance(1)
    assert stage.shop.calls.count("commit.do") == 2


def test_no_part_of_the_sagas_reads_the_clock_of_its_host():
    """Workers on many hosts compare leases and deadlines: by the database's time. On SQLite both clocks are one, hence
    this is read off the code."""
    modules = Path(sagas.__file__).parent.rglob("*.py")
    assert [path.name for path in modules if "clock.now(" in path.read_text(encoding="utf-8")] == []
