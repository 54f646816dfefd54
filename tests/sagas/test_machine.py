"""A Hypothesis state machine over the real engine, the real worker and a real database, with all faults at once."""

from collections.abc import Iterable
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from bandstand.sagas import SagaExecution, request_cancel, starting
from tests.sagas.machine import Healing, Machine, explore
from tests.sagas.shop import Checkout, Participants, Shop, open_shop, order_history

_NUMBERS = count(1)
"""An order's name never comes twice: what the participants remember outlives an example."""


class Orders(Machine):
    """Users start orders, and may wish to cancel them."""

    calls = [
        "validate.do",
        "reserve.do",
        "reserve.undo",
        "capture.do",
        "capture.undo",
        "commit.do",
        "confirm.do",
        "ended",
    ]
    seconds = [1, 4, 11, 35, 130]
    most_turns = 6
    healing = Healing(rounds=400, turns=3, longest_pause_seconds=2)

    def __init__(self) -> None:
        super().__init__(open_shop(Shop(Participants())))
        self.orders: list[str] = []

    @precondition(lambda self: len(self.orders) < 3)
    @rule()
    def start(self) -> None:
        order = f"order-{next(_NUMBERS)}"
        self.orders.append(order)
        starting.start(Checkout, order)

    @precondition(lambda self: self.orders)
    @rule(which=st.integers(0, 2))
    def start_again(self, which: int) -> None:
        assert starting.start(Checkout, self.orders[which % len(self.orders)]) is None

    @precondition(lambda self: self.orders)
    @rule(which=st.integers(0, 2))
    def wish_to_cancel(self, which: int) -> None:
        request_cancel(Checkout, self.orders[which % len(self.orders)])

    def judge(self, rows: Iterable[SagaExecution]) -> None:
        """Every order has one end, and the participants agree with it."""
        ended = {row.business_key: row for row in rows}
        for order in self.orders:
            self._judge(ended[order])

    def _judge(self, row: SagaExecution) -> None:
        net = {kind: self.network.participants.net(kind, row.pk) for kind in ("held", "charged", "committed")}
        history = order_history(row.business_key)
        assert history[-1] == f"{row.status}:{row.reason}"
        if row.status == "completed":
            assert net == {"held": 1, "charged": 1, "committed": 1}
            assert history == ["confirmed", "completed:"]
        else:
            assert row.status in ("compensated", "cancelled")
            assert net == {"held": 0, "charged": 0, "committed": 0}
            assert len(history) == 1


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_no_mixture_of_faults_leaves_an_order_half_done(transactional_db, caplog):
    caplog.set_level("CRITICAL")
    explore(Orders, examples=150)
