"""What the Hypothesis state machines over the real engine, the real worker and a real database have in common."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, TypeVar
from uuid import UUID

from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from bandstand.sagas import SagaExecution, SagaStepLog, host
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.runner import Runner
from bandstand.testing.clock import held_clock
from bandstand.testing.sagas import CallsByHand
from tests.sagas.shop import Shop

__all__ = ["Healing", "Machine", "ThisMachine", "by_hand", "explore"]

FAULTS = ["lost_reply", "lost_request", "late", "error", "unsent", "refuse", "always:late", "always:lost_reply"]
ThisMachine = st.runner()
"""The machine whose rule is to be drawn for."""


@dataclass(frozen=True, kw_only=True)
class Healing:
    """Within what every saga must end once nothing goes wrong any more."""

    rounds: int
    turns: int
    longest_pause_seconds: float


class Machine(RuleBasedStateMachine):
    """Two workers, either of which may stall beyond its lease, crash, or make its calls late."""

    calls: ClassVar[Sequence[str]]
    """The calls that may go wrong."""
    seconds: ClassVar[Sequence[int]]
    """What may pass at a time."""
    most_turns: ClassVar[int]
    healing: ClassVar[Healing]

    def __init__(self, network: Shop) -> None:
        super().__init__()
        for model in (SagaExecution, SagaStepLog, SagaSignal):
            model.objects.all().delete()
        self.held = held_clock()
        self.clock = self.held.__enter__()
        self.network = network
        self.workers = [_hired(), _hired()]
        host.install_worker(self.workers[0][0])
        self.ended: dict[UUID, str] = {}

    # ---- what workers and networks do

    @rule(
        call=ThisMachine.flatmap(lambda machine: st.sampled_from(machine.calls)),
        faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3),
    )
    def order_faults(self, call: str, faults: list[str]) -> None:
        self.network.order(call, *faults)

    @rule(who=st.integers(0, 1), times=ThisMachine.flatmap(lambda machine: st.integers(1, machine.most_turns)))
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
        self.network.catching = True
        while self.workers[who][1].run():
            pass
        self.network.catching = False
        self.workers[who] = _hired()
        host.install_worker(self.workers[0][0])

    @rule(seconds=ThisMachine.flatmap(lambda machine: st.sampled_from(machine.seconds)))
    def time_passes(self, seconds: int) -> None:
        self.advance(seconds)

    @rule()
    def what_was_on_its_way_arrives(self) -> None:
        self.network.deliver_late()

    # ---- what must hold

    @invariant()
    def an_end_is_final(self) -> None:
        for row in SagaExecution.objects.filter(lease_until=None):
            if row.pk not in self.ended:
                self.judge_end(row)
            assert self.ended.setdefault(row.pk, row.status) == row.status

    def teardown(self) -> None:
        """Heal everything; then every saga has one end, and log, participants and history agree with it."""
        try:
            self.network.faults.clear()
            self.heal()
            assert not self.live(), [(row.status, row.step, row.error) for row in self.live()]
            for who in (0, 1):
                self.crash(who)
            self.what_was_on_its_way_arrives()
            self.everything_else_arrives()
            self.an_end_is_final()
            assert not SagaSignal.objects.filter(taken_at=None).exists()
            assert not SagaExecution.objects.exclude(owner=None).exists()
            self.judge(SagaExecution.objects.all())
        finally:
            self.held.__exit__(None, None, None)
            host.install_worker(None)

    def heal(self) -> None:
        """Let both work without faults until every saga has ended, or must have."""
        for _ in range(self.healing.rounds):
            for who in (0, 1):
                self.work(who, self.healing.turns)
            self.an_end_is_final()
            self.others_do_their_part()
            if not self.live():
                return
            self.advance(self._until_something_is_due())

    def live(self) -> list[SagaExecution]:
        """The sagas that have not ended, oldest first."""
        return list(SagaExecution.objects.filter(lease_until__isnull=False).order_by("created_at", "id"))

    def _until_something_is_due(self) -> float:
        now = self.clock.now()
        moments = [row.next_at or row.lease_until for row in self.live()]
        soonest = min(((one - now).total_seconds() for one in moments if one), default=1.0)
        return min(max(1.0, soonest), self.healing.longest_pause_seconds)

    # ---- what each machine says for itself

    def advance(self, seconds: float) -> None:
        """Let time pass, and what happens by itself in it."""
        self.clock.advance(seconds)

    def others_do_their_part(self) -> None:
        """While it heals: whatever the sagas wait for that is no call."""

    def everything_else_arrives(self) -> None:
        """Behind the last end: whatever may still be on its way."""

    def judge_end(self, row: SagaExecution) -> None:
        """At the very moment at which a saga has ended."""

    def judge(self, rows: Iterable[SagaExecution]) -> None:
        """Once nothing can happen any more."""
        raise NotImplementedError


Conducted = TypeVar("Conducted", bound=Machine)


def _hired() -> tuple[Runner, CallsByHand]:
    pool = CallsByHand()
    return Runner(config=SagasConfig(), pool=pool), pool


def explore(machine: type[Machine], *, examples: int) -> None:
    """Run so many sequences of the machine's rules, the same ones every time."""
    _be_quick()
    bounds = settings(
        max_examples=examples,
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=bounds)


@contextmanager
def by_hand(machine: type[Conducted]) -> Iterator[Conducted]:
    """A machine to be taken through one chosen sequence; at its end it is healed and judged like any other."""
    _be_quick()
    conducted = machine()
    try:
        yield conducted
    finally:
        conducted.teardown()


def _be_quick() -> None:
    """Do not wait for the disk: no power is lost here, and thousands of commits are made."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")
