"""Each of the four mechanisms is needed: take one away and the invariants break.

Keys and tombstones are taken from the participant. Fencing and the intent are taken from what a new owner reads, since
the product offers no way to do without them.
"""

import pytest
from msgspec.structs import replace

from bandstand.sagas import SagaExecution, leases
from bandstand.sagas.runs import read_state, write_state
from bandstand.sagas.steps import Direction
from bandstand.sagas.transitions import Phase
from tests.sagas.shop import Participants, order_history


@pytest.mark.parametrize(("keyed", "charges"), [(True, 1), (False, 2)])
def test_without_keys_a_lost_reply_charges_twice(stage, keyed, charges):
    stage.shop.participants = Participants(keyed=keyed)
    stage.shop.order("capture.do", "lost_reply")
    assert stage.settle(stage.start("m1")).status == "completed"
    assert stage.shop.participants.applied("charged") == charges


@pytest.mark.parametrize(("tombstones", "charged"), [(True, 0), (False, 1)])
def test_without_tombstones_a_late_request_charges_a_cancelled_order(stage, tombstones, charged):
    stage.shop.participants = Participants(tombstones=tombstones)
    stage.shop.order("capture.do", "always:late")
    assert stage.settle(stage.start("m2")).status == "cancelled"
    stage.shop.deliver_late()
    assert stage.shop.participants.net("charged") == charged


@pytest.mark.parametrize(("forget", "end"), [(False, "cancelled"), (True, "completed")])
def test_without_fencing_a_stale_worker_confirms_what_was_refunded(stage, monkeypatch, forget, end):
    if forget:
        monkeypatch.setattr(leases, "claim", _changing(leases.claim, _same_epoch))
    saga_id = stage.start("m3")
    work_until(stage, "capture.do")
    stale, its_pool = stage.worker, stage.pool
    stage.clock.advance(31)
    stage.employ()
    stage.worker.turn()
    work_until(stage, "capture.undo")
    stale.turn()
    while its_pool.run():
        stale.turn()
    assert stage.settle(saga_id).status == end
    assert stage.shop.participants.net("charged") == 0
    assert ("confirmed" in order_history("m3")) is forget


@pytest.mark.parametrize(("forget", "charged"), [(False, 0), (True, 1)])
def test_without_the_intent_a_crash_behind_the_call_leaves_a_charge(stage, monkeypatch, forget, charged):
    if forget:
        monkeypatch.setattr(leases, "claim", _changing(leases.claim, _no_intent))
    saga_id = stage.start("m4")
    work_until(stage, "capture.do")
    stage.employ()
    stage.clock.advance(130)
    assert stage.settle(saga_id).status == "cancelled"
    assert stage.shop.participants.net("charged") == charged


def work_until(stage, call):
    for _ in range(50):
        if call in stage.shop.calls:
            return
        stage.worker.turn()
        stage.pool.run()
    raise AssertionError(f"{call} is never made")


def _changing(claim, change):
    def claim_and_forget(*args, **kwargs):
        rows = claim(*args, **kwargs)
        for row in rows:
            change(row)
        return rows

    return claim_and_forget


def _same_epoch(row):
    SagaExecution.objects.filter(pk=row.pk).update(epoch=1)
    row.epoch = 1


def _no_intent(row):
    state = read_state(row.state)
    if state.direction is Direction.DO and state.is_calling:
        at = [replace(position, phase=Phase.PAUSING, attempt=0, next_at=row.updated_at) for position in state.at]
        row.state = write_state(replace(state, at=tuple(at)))
