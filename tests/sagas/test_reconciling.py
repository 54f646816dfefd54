"""Late effects at a participant without tombstones are found, undone under their own key, and nothing else is."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from bandstand import clock
from bandstand.errors import ServiceTimeoutError
from bandstand.sagas import Found, Saga, SagaExecution, SagaStep, StepCall, StepKind, StepRefused, starting
from bandstand.sagas.reconciling import Finding, FindingKind, reconcile
from tests.sagas.stage import Stage

HOLD = timedelta(minutes=5)


class Bank:
    """A foreign bank: it knows keys, but no tombstones, and it may take its time."""

    def __init__(self) -> None:
        self.charged: list[str] = []
        self.refunds: dict[str, str] = {}
        self.on_the_way: list[str] = []
        self.is_slow = False

    def charge(self, call: StepCall) -> None:
        if self.is_slow:
            self.on_the_way.append(call.key)
            raise ServiceTimeoutError("no answer")
        self.charged.append(call.key)

    def refund(self, call: StepCall) -> None:
        if call.effect_key in self.charged:
            self.refunds.setdefault(call.effect_key, call.key)

    def find(self, call: StepCall) -> Found:
        return Found.PRESENT if call.effect_key in self.charged else Found.ABSENT

    def held(self, _: datetime) -> list[str]:
        return [key for key in self.charged if key not in self.refunds]

    def deliver(self) -> None:
        self.charged += self.on_the_way
        self.on_the_way.clear()


bank = Bank()


def refuse(_: StepCall) -> None:
    raise StepRefused("sold_out")


class Purchase(Saga):
    name = "reconciling_purchase"
    deadline = timedelta(minutes=1)
    steps = [
        SagaStep(
            "charge",
            do=bank.charge,
            undo=bank.refund,
            query=bank.find,
            settle_after=HOLD,
            listing=bank.held,
        ),
        SagaStep("ship", kind=StepKind.RETRIABLE, do=lambda _: None, when=lambda context: context["ships"]),
        SagaStep("sell", kind=StepKind.RETRIABLE, do=lambda _: None),
    ]

    def begin(self, event: str) -> tuple[str, dict[str, Any]]:
        return event, {"ships": False}


@pytest.fixture(autouse=True)
def _new_bank() -> None:
    bank.__init__()  # type: ignore[misc]  # the steps hold on to this very bank


def run() -> list[Finding]:
    return reconcile(Purchase(), since=clock.now() - timedelta(days=1))


def cancelled_with_a_charge_on_its_way(stage: Stage) -> UUID:
    bank.is_slow = True
    saga_id = starting.start(Purchase, "slow")
    assert saga_id is not None
    assert stage.settle(saga_id, seconds=3600).status == "cancelled"
    assert bank.on_the_way
    bank.on_the_way = bank.on_the_way[:1]
    return saga_id


def test_a_charge_that_comes_in_time_is_found_by_the_query_and_refunded(stage: Stage) -> None:
    bank.is_slow = True
    saga_id = starting.start(Purchase, "slow")
    assert saga_id is not None
    stage.drive()
    stage.clock.advance(61)
    stage.drive()
    bank.deliver()
    assert stage.settle(saga_id, seconds=3600).status == "cancelled"
    assert bank.held(clock.now()) == []
    assert run() == []


def test_a_charge_that_comes_later_than_promised_is_undone_once_under_its_own_key(stage: Stage) -> None:
    saga_id = cancelled_with_a_charge_on_its_way(stage)
    assert run() == []
    bank.deliver()
    key = f"{saga_id}:charge"
    assert run() == [Finding(kind=FindingKind.LATE, saga=Purchase.name, step="charge", key=key, undone=True)]
    assert [finding.undone for finding in run()] == [False]
    stage.drive()
    assert bank.refunds == {key: f"{key}:late"}
    assert run() == []
    assert SagaExecution.objects.get(type="bandstand_late_effect").status == "completed"


def test_a_dry_run_reports_and_undoes_nothing(stage: Stage) -> None:
    cancelled_with_a_charge_on_its_way(stage)
    bank.deliver()
    found = reconcile(Purchase(), since=clock.now(), dry_run=True)
    assert [finding.kind for finding in found] == [FindingKind.LATE]
    assert not SagaExecution.objects.filter(type="bandstand_late_effect").exists()


def test_the_effects_of_completed_and_of_live_sagas_are_theirs(stage: Stage) -> None:
    done = starting.start(Purchase, "done")
    assert done is not None
    stage.drive()
    assert stage.settle(done).status == "completed"
    starting.start(Purchase, "under way")
    stage.worker.turn()
    stage.pool.run()
    assert len(bank.charged) == 2
    assert run() == []


def test_a_key_of_no_saga_is_reported_and_left_alone(stage: Stage) -> None:
    bank.charged = [f"{uuid4()}:charge", "somebody-elses"]
    assert [(finding.kind, finding.undone) for finding in run()] == [(FindingKind.STRANGER, False)]
    stage.drive()
    assert bank.refunds == {}
