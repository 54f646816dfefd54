"""Runners are killed at random and at crash points while the provider misbehaves; the long form is `make prove`."""

from pathlib import Path

from tests.fleet.test_crash_points import SAGA
from tests.proofs.kills import TO_END_SECONDS, Plan, died_at, play, stage

POINTS = (
    f"{SAGA}.capture_payment.do.after_intent#3",
    f"{SAGA}.commit_stock.do.after_call#3",
    f"{SAGA}.reserve_stock.undo.after_call",
    f"{SAGA}.confirm_order.do.after_log#3",
)
SHORT = Plan(orders=150, customers=8, points=POINTS)


def test_no_order_is_lost_or_done_twice_though_runners_die(tmp_path: Path) -> None:
    with stage(SHORT, tmp_path, twice=("orders",)) as shop:
        found = play(SHORT, shop)
        assert died_at(shop) == {point if "#" in point else f"{point}#1" for point in POINTS}
    assert found["kills"]["total"] > 2
    assert found["taken_over"] > 0
    assert found["all_ended_after_last_fault_seconds"] < TO_END_SECONDS
