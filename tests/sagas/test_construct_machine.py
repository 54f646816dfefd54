"""A Hypothesis state machine over a saga that uses every construct: all faults, all signals, at any time."""

from itertools import count
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bandstand.events import publish
from bandstand.sagas import SagaExecution, SagaStepLog, host, request_cancel, starting
from bandstand.sagas.checks import check_saga
from bandstand.sagas.config import SagasConfig
from bandstand.sagas.models import SagaSignal
from bandstand.sagas.plan import base_of
from bandstand.sagas.runner import Runner
from bandstand.sagas.signals import SignalName, send, signal
from bandstand.testing.clock import held_clock
from bandstand.testing.sagas import CallsByHand
from tests.sagas.expedition import Expedition, GearWeighed, Guide, Trip, World, inhabit
from tests.sagas.shop import order_history

_NUMBERS = count(1)
_UNDONE = ["look", "reserve", "room", "photo", "visa", "gift", "charge", "find", "hire"]
_CALLS = [f"{name}.{way}" for name in _UNDONE for way in ("do", "undo")]
_CALLS += [
    "charge.query",
    "invoice.do",
    "ticket.do",
    "berth.do",
    "noted.do",
    "unnoted.do",
    "booked.do",
    "ended",
    *["charge.do"] * 6,
]
_FAULTS = ["lost_reply", "lost_request", "late", "error", "unsent", "refuse", "always:late", "always:lost_reply"]
_BEHIND = {"ship", "invoice", "ticket"}
_REMOTE = {*_UNDONE, *_BEHIND, "berth"}
_LOOPED = {"room", "photo", "visa", "ticket"}
_SELDOM = st.sampled_from([False] * 15 + [True])
_ROUNDS = st.sampled_from([9, 0, 8, 3, 10, 6, 11])
_STOPS = st.sampled_from([("a",), ("a", "b"), ()])
_EXAMPLES = {"sqlite": 60, "postgresql": 12}


class Trips(RuleBasedStateMachine):
    """Two workers, either of which may stall, crash or make its calls late; people say whatever they like."""

    def __init__(self) -> None:
        super().__init__()
        for model in (SagaExecution, SagaStepLog, SagaSignal):
            model.objects.all().delete()
        self.held = held_clock()
        self.clock = self.held.__enter__()
        self.world = inhabit(World())
        self.workers = [self._hired(), self._hired()]
        host.install_worker(self.workers[0][0])
        self.trips: list[Trip] = []
        self.ended: dict[UUID, str] = {}
        self.ordered: set[UUID] = set()
        self.skipped: set[tuple[UUID | None, str]] = set()
        self.kindly = True

    @initialize(stops=_STOPS, insured=st.booleans(), gift=st.booleans(), rounds=_ROUNDS, kindly=st.booleans())
    def begin(self, stops: tuple[str, ...], rounds: int, *, insured: bool, gift: bool, kindly: bool) -> None:
        """One trip there always is, somewhere on its way; in the end people say what the trips wait for, or never."""
        self.start(stops, insured=insured, gift=gift)
        for _ in range(rounds):
            self.please_everybody()
            self.work(0, 8)
            self._advance(3)
        self.kindly = kindly

    def _hired(self) -> tuple[Runner, CallsByHand]:
        pool = CallsByHand()
        return Runner(config=SagasConfig(), pool=pool), pool

    # ---- what users do

    @precondition(lambda self: len(self.trips) < 2)
    @rule(stops=_STOPS, insured=st.booleans(), gift=st.booleans())
    def start(self, stops: tuple[str, ...], *, insured: bool, gift: bool) -> None:
        trip = Trip(trip=f"trip-{next(_NUMBERS)}", stops=stops, insured=insured, gift=gift)
        self.trips.append(trip)
        starting.start(Expedition, trip)

    @rule(which=st.integers(0, 1))
    def start_again(self, which: int) -> None:
        assert starting.start(Expedition, self._trip(which)) is None

    @rule(which=st.integers(0, 1), kilos=st.sampled_from([9, 9, 9, 40]))
    def weigh_the_gear(self, which: int, kilos: int) -> None:
        with transaction.atomic():
            publish(GearWeighed(trip=self._trip(which).trip, grams=kilos * 1000))

    @rule(
        which=st.integers(0, 1),
        step=st.sampled_from(["manager", "manager", "weather", "praise", "gear", "look"]),
        name=st.sampled_from([SignalName.APPROVED, SignalName.APPROVED, SignalName.APPROVED, SignalName.REJECTED]),
    )
    def decide(self, which: int, step: str, name: SignalName) -> None:
        signal(Expedition.name, self._trip(which).trip, name, step=step, said_by="grace")

    @rule(which=st.integers(0, 1), sure=_SELDOM)
    def wish_to_cancel(self, which: int, *, sure: bool) -> None:
        if sure:
            request_cancel(Expedition, self._trip(which).trip)

    @rule()
    def please_everybody(self) -> None:
        """What people and the bus owe the trips comes all at once."""
        for trip in self.trips:
            with transaction.atomic():
                publish(GearWeighed(trip=trip.trip, grams=9000))
            signal(Expedition.name, trip.trip, SignalName.APPROVED, step="manager", said_by="grace")
        self._settle_bus()

    # ---- what operators do

    @rule(which=st.integers(0, 3))
    def hurry(self, which: int) -> None:
        rows = self._live()
        if rows:
            send(rows[which % len(rows)].pk, SignalName.RETRY)

    @rule(which=st.integers(0, 3), sure=_SELDOM)
    def compensate(self, which: int, *, sure: bool) -> None:
        rows = self._live()
        if rows and sure:
            row = rows[which % len(rows)]
            self.ordered |= {row.pk, row.parent_id or row.pk}
            send(row.pk, SignalName.COMPENSATE, note="ordered")

    @rule(which=st.integers(0, 3), sure=_SELDOM)
    def skip(self, which: int, *, sure: bool) -> None:
        rows = [row for row in self._live() if row.direction == "do" and row.step and not row.step.startswith("~")]
        if rows and sure:
            row = rows[which % len(rows)]
            self.skipped.add((row.pk, row.step))
            send(row.pk, SignalName.SKIP, step=row.step, payload={"direction": "do"}, note="by hand")

    # ---- what workers and networks do

    @rule(call=st.sampled_from(_CALLS), faults=st.lists(st.sampled_from(_FAULTS), min_size=1, max_size=3))
    def order_faults(self, call: str, faults: list[str]) -> None:
        self.world.order(call, *faults)

    @rule(who=st.integers(0, 1), times=st.integers(1, 12))
    def work(self, who: int, times: int) -> None:
        worker, pool = self.workers[who]
        for _ in range(times):
            worker.turn()
            pool.run()

    @rule(who=st.integers(0, 1))
    def make_a_call_whose_answer_waits(self, who: int) -> None:
        self.workers[who][1].run()

    @rule(who=st.integers(0, 1))
    def crash(self, who: int) -> None:
        """The process dies; what it had sent may still arrive."""
        self.world.catching = True
        while self.workers[who][1].run():
            pass
        self.world.catching = False
        self.workers[who] = self._hired()
        host.install_worker(self.workers[0][0])

    @rule(seconds=st.sampled_from([1, 1, 4, 11, 35, 61]))
    def time_passes(self, seconds: float) -> None:
        self._advance(seconds)

    @rule()
    def what_was_on_its_way_arrives(self) -> None:
        self.world.deliver_late()

    @precondition(lambda self: self.world.bus)
    @rule(number=st.integers(0, 20), keep=st.booleans())
    def the_bus_delivers(self, number: int, *, keep: bool) -> None:
        self.world.deliver(number, keep=keep)

    # ---- what must hold

    @invariant()
    def an_end_is_final(self) -> None:
        for row in SagaExecution.objects.filter(lease_until=None):
            if row.status != "completed" and row.pk not in self.ended:
                _check_undone(self, row)
            assert self.ended.setdefault(row.pk, row.status) == row.status

    def teardown(self) -> None:
        """Heal everything; then every saga has one end, and log, participants and history agree with it."""
        try:
            self._heal()
            assert not self._live(), [(row.status, row.step, row.error) for row in self._live()]
            for who in (0, 1):
                self.crash(who)
            self.what_was_on_its_way_arrives()
            self._advance(100)
            self._settle_bus()
            for _ in range(3):
                self.work(0, 2)
            self.an_end_is_final()
            assert not SagaSignal.objects.filter(taken_at=None).exists()
            assert not SagaExecution.objects.exclude(owner=None).exists()
            for row in SagaExecution.objects.all():
                _check(self, row)
        finally:
            self.held.__exit__(None, None, None)
            host.install_worker(None)

    def _heal(self) -> None:
        self.world.faults.clear()
        for _ in range(300):
            for who in (0, 1):
                self.work(who, 6)
            self._settle_bus()
            if self.kindly:
                self.please_everybody()
            live = self._live()
            if not live:
                return
            now = self.clock.now()
            moments = [row.next_at or row.lease_until for row in live]
            soonest = min(((one - now).total_seconds() for one in moments if one), default=1.0)
            self._advance(min(max(1.0, soonest), 30.0))

    def _settle_bus(self) -> None:
        while self.world.bus:
            self.world.deliver(0)

    def _advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.world.arrive_before(self.clock.now())

    def _trip(self, which: int) -> Trip:
        return self.trips[which % len(self.trips)]

    def _live(self) -> list[SagaExecution]:
        return list(SagaExecution.objects.filter(lease_until__isnull=False).order_by("created_at", "id"))


# ---- the judgement of one saga


def _check_undone(machine: Trips, row: SagaExecution) -> None:
    """Every participant has confirmed its part: at this very moment, not once everything has arrived."""
    for unit in {line.step for line in SagaStepLog.objects.filter(saga_id=row.pk)}:
        if base_of(unit) in _REMOTE - _BEHIND:
            assert machine.world.net(f"{row.pk}:{unit}") == 0, unit


def _check(machine: Trips, row: SagaExecution) -> None:
    lines = SagaStepLog.objects.filter(saga_id=row.pk).order_by("id")
    log = [(line.step, line.direction, line.outcome) for line in lines]
    done = {step for step, way, outcome in log if (way, outcome) == ("do", "ok")}
    for unit in {step for step, _, _ in log if base_of(step) in _REMOTE}:
        if row.status == "completed" and (row.pk, unit) not in machine.skipped:
            assert machine.world.net(f"{row.pk}:{unit}") == int(unit in done), unit
    if row.status != "completed":
        _check_undone(machine, row)
    if row.pk not in machine.ordered and "charge" in done:
        assert row.status == "completed"
        assert not [line for line in log if line[1] == "undo"]
    if row.type == Expedition.name:
        _check_trip(machine, row, done)
    elif row.pk not in machine.ordered and (row.parent_id, "guide") not in machine.skipped:
        assert row.parent_id is not None
        parent = SagaExecution.objects.get(pk=row.parent_id)
        assert (row.status == "completed") == (parent.status == "completed")


def _check_trip(machine: Trips, row: SagaExecution, done: set[str]) -> None:
    trip = next(one for one in machine.trips if one.trip == row.business_key)
    written = order_history(trip.trip)
    assert written[-1] == row.status
    assert written.count(row.status) == 1
    if row.status != "completed":
        assert written.count("noted") == written.count("unnoted")
        return
    assert "unnoted" not in written
    skipped = {unit for saga_id, unit in machine.skipped if saga_id == row.pk}
    assert _wanted(trip) - skipped <= done
    if not skipped:
        assert written == ["noted", "booked", "completed"]
        assert row.context_data["rooms"] == {stop: f"in {stop}" for stop in trip.stops}
        assert row.context_data["stamps"] == {stop: f"for {stop}" for stop in trip.stops}
        assert row.context_data["grams"] == 9000


def _wanted(trip: Trip) -> set[str]:
    """The units without which a trip is not complete."""
    looped = {f"{name}:{stop}" for name in _LOOPED for stop in trip.stops}
    always = {leaf.name for leaf in Expedition().plan.leaves} - _LOOPED - {"gift", "guide", "weather", "praise"}
    return always | looped | ({"gift"} if trip.gift else set()) | ({"guide"} if trip.insured else set())


def test_the_saga_of_the_machine_is_sound() -> None:
    assert not [*check_saga(Expedition()), *check_saga(Guide())]


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_no_mixture_of_faults_and_signals_leaves_a_trip_half_done(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")  # no power is lost here; thousands of commits are
    bounds = settings(
        max_examples=_EXAMPLES[connection.vendor],
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Trips, settings=bounds)
