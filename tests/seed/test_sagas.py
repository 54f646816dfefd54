"""R1 to R6: what the articles' saga does under one fault, and what ours does under the same."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal

import pytest
from tests.sagas.shop import Checkout, order_history
from tests.sagas.stage import Stage, on_stage

from bandstand.sagas import SagaExecution, SagaStep, StepKind, request_cancel, starting


class NaiveSaga:
    """The articles' saga in a few lines: log after the action, compensation from the step before, errors swallowed."""

    def __init__(self, *steps):
        self.steps, self.rows = steps, {}

    def execute(self, saga_id, context):
        row = self.rows.setdefault(saga_id, {"status": "running", "step": 0, "context": json.dumps(context)})
        if row["status"] in ("completed", "compensated"):
            return True
        try:
            for action, _ in self.steps[row["step"] :]:
                context = action(context)
                row["context"] = json.dumps(context)
                row["step"] += 1
        except Exception:  # noqa: BLE001 - as the articles do
            self.compensate(row, context)
            return False
        row["status"] = "completed"
        return True

    def compensate(self, row, context):
        row["status"] = "compensating"
        for _, compensation in reversed(self.steps[: row["step"]]):
            with suppress(Exception):
                compensation(context)
        row["status"] = "compensated"


class Bank:
    """Counts what happened."""

    charges = refunds = held = 0

    def charge(self, context):
        self.charges += 1
        return context

    def refund(self, context):
        self.refunds += 1

    def hold(self, context):
        self.held += 1
        return context

    def release(self, context):
        self.held -= 1


def fail(context):
    raise RuntimeError("no")


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def ours(transactional_db) -> Iterator[Stage]:
    with on_stage() as stage:
        yield stage


def test_r1_naive_reports_a_failed_refund_as_compensated_and_then_as_success(bank):
    saga = NaiveSaga((bank.charge, fail), (fail, fail))
    assert saga.execute("s", {}) is False
    assert (saga.rows["s"]["status"], bank.charges, bank.refunds) == ("compensated", 1, 0)
    assert saga.execute("s", {}) is True


def test_r1_ours_is_parked_until_the_refund_is_confirmed(ours):
    ours.shop.order("capture.do", "always:lost_reply")
    ours.shop.order("capture.undo", "always:error")
    saga_id = ours.start("r1")
    for _ in range(200):
        ours.drive()
        ours.clock.advance(1)
    assert (ours.row(saga_id).status, order_history("r1")) == ("compensation_failed", [])
    ours.shop.order("capture.undo")
    assert ours.settle(saga_id).status == "cancelled"
    assert ours.shop.participants.net("charged") == 0


def test_r2_naive_charges_and_loses_what_json_cannot_hold(bank):
    saga = NaiveSaga((bank.charge, bank.refund), (lambda c: {**bank.charge(c), "fee": Decimal(1)}, bank.refund))
    assert saga.execute("s", {}) is False
    assert (bank.charges, bank.refunds) == (2, 1)


def test_r2_ours_keeps_decimals_and_undoes_a_step_whose_result_cannot_be_kept(ours):
    class Fees(Checkout):
        name = "seed_fees"
        result: object = Decimal("1.10")
        steps = [
            *Checkout.steps[:2],
            SagaStep("fee", do=lambda call: {"fee": Fees.result}, undo=lambda call: undone.append(call.key)),
            SagaStep("end", kind=StepKind.RETRIABLE, local=True, do=lambda call: None),
        ]

    undone: list[str] = []
    saga_id = starting.start(Fees, "r2a")
    assert ours.settle(saga_id).context_data["fee"] == "1.10"
    Fees.result = object()
    saga_id = starting.start(Fees, "r2b")
    assert ours.settle(saga_id).status == "cancelled"
    assert undone == [f"{saga_id}:fee"]
    assert ours.shop.participants.net("held", saga_id) == 0


def test_r3_naive_goes_forward_after_a_crash_while_compensating(bank):
    saga = NaiveSaga((bank.hold, bank.release), (bank.charge, bank.refund))
    row = saga.rows["s"] = {"status": "compensating", "step": 1, "context": "{}"}
    bank.held = 0  # released, and then the process died
    assert saga.execute("s", {}) is True
    assert (row["status"], bank.charges, bank.held) == ("completed", 1, 0)


def test_r3_ours_goes_on_undoing_after_a_crash(ours):
    ours.shop.order("capture.do", "refuse")
    saga_id = ours.start("r3")
    while ours.row(saga_id).status != "compensating":
        ours.worker.turn()
        ours.pool.run()
    ours.employ()
    ours.clock.advance(11)
    assert ours.settle(saga_id).status == "compensated"
    assert (ours.shop.participants.applied("charged"), ours.shop.participants.net("held")) == (0, 0)


def test_r4_naive_charges_once_per_concurrent_call(bank):
    together = threading.Barrier(4)

    def hold(context):
        together.wait()
        return context

    saga = NaiveSaga((hold, bank.release), (bank.charge, bank.refund))
    threads = [threading.Thread(target=lambda: saga.execute("s", {})) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bank.charges > 1


def test_r4_ours_charges_once_however_often_it_is_started(ours):
    started = [starting.start(Checkout, "r4") for _ in range(4)]
    assert [one is not None for one in started] == [True, False, False, False]
    ours.settle(started[0])
    assert ours.shop.participants.applied("charged") == 1


def test_r5_naive_leaks_what_a_half_done_step_holds(bank):
    def reserve_three(context):
        bank.hold(context)
        bank.hold(context)
        fail(context)

    assert NaiveSaga((reserve_three, bank.release)).execute("s", {}) is False
    assert bank.held == 2


def test_r5_ours_undoes_the_step_that_broke_half_way(ours):
    ours.shop.order("reserve.do", "always:error")  # the effect is there, the answer is not
    row = ours.settle(ours.start("r5"))
    assert row.status == "cancelled"
    assert (ours.shop.participants.applied("held"), ours.shop.participants.net("held")) == (1, 0)


def test_r6_naive_refunds_because_a_mail_could_not_be_sent(bank):
    assert NaiveSaga((bank.charge, bank.refund), (fail, fail)).execute("s", {}) is False
    assert (bank.charges, bank.refunds) == (1, 1)


def test_r6_ours_turns_back_for_nothing_behind_the_pivot(ours):
    ours.shop.order("commit.do", "error", "lost_reply", "refuse", "lost_request")
    saga_id = ours.start("r6")
    ours.drive()
    assert request_cancel(Checkout, "r6")
    assert ours.settle(saga_id).status == "completed"
    assert ours.shop.participants.net("charged") == 1
    assert SagaExecution.objects.get(pk=saga_id).reason == ""
