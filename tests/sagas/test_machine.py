"""A Hypothesis state machine over the real engine, the real worker and a real database, with all faults at once."""

from itertools import count

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from bandstand.sagas import SagaExecution, SagaStepLog, host, request_cancel, starting
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.runner import Runner
from bandstand.testing.clock import held_clock
from bandstand.testing.sagas import CallsByHand
from tests.sagas.shop import Checkout, Participants, Shop, open_shop, order_history

_NUMBERS = count(1)
"""An order's name never comes twice: what the participants remember outlives an example."""

CALLS = ["validate.do", "reserve.do", "reserve.undo", "capture.do", "capture.undo", "commit.do", "confirm.do", "ended"]
FAULTS = ["lost_reply", "lost_request", "late", "error", "unsent", "refuse", "always:late", "always:lost_reply"]
BOUNDS = settings(
    max_examples=150,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Orders(RuleBasedStateMachine):
    """Two workers, either of which may stall beyond its lease, crash, or make its calls late."""

    def __init__(self) -> None:
        super().__init__()
        for model in (SagaExecution, SagaStepLog):
            model.objects.all().delete()
        self.held = held_clock()
        self.clock = self.held.__enter__()
        self.shop = open_shop(Shop(Participants()))
        self.workers = [self._hired(), self._hired()]
        host.install_worker(self.workers[0][0])
        self.orders: list[str] = []
        self.ended: dict[str, str] = {}

    def _hired(self) -> tuple[Runner, CallsByHand]:
        pool = CallsByHand()
        return Runner(config=SagasConfig(), pool=pool), pool

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

    @rule(call=st.sampled_from(CALLS), faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3))
    def order_faults(self, call: str, faults: list[str]) -> None:
        self.shop.order(call, *faults)

    @rule(who=st.integers(0, 1), times=st.integers(1, 6))
    def work(self, who: int, times: int) -> None:
        worker, pool = self.workers[who]
        for _ in range(times):
            worker.turn()
            pool.run()

    @rule(who=st.integers(0, 1))
    def make_a_call_whose_answer_waits(self, who: int) -> None:
        """A stalled worker: its call is made, and what follows is only written when it turns again."""
        self.workers[who][1].run()

    @rule(who=st.integers(0, 1))
    def crash(self, who: int) -> None:
        """The process dies; what it had sent may still arrive."""
        self.shop.late += self.workers[who][1].jobs
        self.workers[who] = self._hired()
        host.install_worker(self.workers[0][0])

    @rule(seconds=st.sampled_from([1, 4, 11, 35, 130]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def what_was_on_its_way_arrives(self) -> None:
        self.shop.deliver_late()

    @precondition(lambda self: self.orders)
    @rule(which=st.integers(0, 2))
    def wish_to_cancel(self, which: int) -> None:
        request_cancel(Checkout, self.orders[which % len(self.orders)])

    @invariant()
    def an_end_is_final(self) -> None:
        for row in SagaExecution.objects.filter(lease_until=None):
            assert self.ended.setdefault(row.business_key, row.status) == row.status

    def teardown(self) -> None:
        """Heal everything; then every order has one end, and the participants agree with it."""
        try:
            self.shop.faults.clear()
            for _ in range(400):
                for who in (0, 1):
                    self.work(who, 3)
                self.clock.advance(2)
                if not SagaExecution.objects.filter(lease_until__isnull=False).exists():
                    break
            self.crash(0)
            self.crash(1)
            self.what_was_on_its_way_arrives()
            for order in self.orders:
                self._check(order)
        finally:
            self.held.__exit__(None, None, None)
            host.install_worker(None)

    def _check(self, order: str) -> None:
        row = SagaExecution.objects.get(business_key=order)
        net = {kind: self.shop.participants.net(kind, row.pk) for kind in ("held", "charged", "committed")}
        assert order_history(order)[-1] == f"{row.status}:{row.reason}"
        if row.status == "completed":
            assert net == {"held": 1, "charged": 1, "committed": 1}
            assert order_history(order) == ["confirmed", "completed:"]
        else:
            assert row.status in ("compensated", "cancelled")
            assert net == {"held": 0, "charged": 0, "committed": 0}
            assert len(order_history(order)) == 1


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_no_mixture_of_faults_leaves_an_order_half_done(transactional_db, caplog):
    caplog.set_level("CRITICAL")
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous=OFF")  # no power is lost here; thousands of commits are
    run_state_machine_as_test(Orders, settings=BOUNDS)
