"""A Hypothesis state machine over the real outbox, relays, embedded bus, inbox and consumer loops, with all faults."""

import os
import tempfile
from contextlib import ExitStack, suppress
from copy import deepcopy
from datetime import timedelta

from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test import override_settings
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bandstand.config import identity, section
from bandstand.events import Event, backends, consumer, dead_letters, publish
from bandstand.events.backends import BusUnavailable
from bandstand.events.backends.base import Bus
from bandstand.events.backends.embedded import EmbeddedBus
from bandstand.events.config import EventsConfig
from bandstand.events.consuming import ConsumerLoop
from bandstand.events.models import DeadLetter
from bandstand.events.relay import Relay
from bandstand.testing.clock import held_clock
from tests.events.staging import own_registry
from tests.trials.doubles import DOUBLES
from tests.trials.hosts import IDLE, Gate, Host, watched_crash_points
from tests.trials.promises import LOST, OVERTAKEN, PHANTOM, TWICE, clear, is_relayed, is_settled, refute

__all__ = ["BOUNDS", "Events"]

BOUNDS = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
RETENTION = timedelta(hours=1)
NO_HOLD, DUAL_WRITE = "no-hold", "dual-write"
_HOSTS = {"relay a": "relay", "relay b": "relay", "consumer a": "consumer", "consumer b": "consumer"}
_DEAD = {"state": DeadLetter.State.DEAD}
_RELAYING = ["outbox.before_publish", "outbox.after_publish", "outbox.after_mark"]
_CONSUMING = ["inbox.before_apply", "inbox.after_apply", "inbox.after_commit", "inbox.after_ack"]
_STEPS_TO_A_POINT = 6
_ROUNDS = 400


class Events(RuleBasedStateMachine):
    """Two relays and two consumer processes, each of which may stand still anywhere, die there or end well."""

    double = ""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="bandstand-machine-"))
        self.url = f"embedded:///{folder}/bus.sqlite3"
        values = deepcopy(django_settings.BANDSTAND)
        values["EVENTS"] = {
            "BUS_URL": self.url,
            "ATTEMPTS": 3,
            "CONSUMER_BATCH": 3,
            "BATCH": 3,
            "RELAY_LEASE": timedelta(seconds=0.5),
            "INBOX_RETENTION": RETENTION,
        }
        self.stack.enter_context(override_settings(BANDSTAND=values))
        self.clock = self.stack.enter_context(held_clock())
        self.stack.enter_context(watched_crash_points())
        self.stack.enter_context(own_registry())
        self.fact = self.declared()
        self.number, self.refusals = 0, 0
        self.indigestible: dict[int, int] = {}
        self.replayed: list[int] = []
        clear()
        self.hosts = {name: self.host(name) for name in _HOSTS}

    def declared(self) -> type[Event]:
        """The event and its consumer, which fails as often as `indigestible` says."""

        class FactNoted(Event, name=f"{identity().name}.fact_noted.v1", subject="subject"):
            subject: str
            number: int

        @consumer(FactNoted)
        def mirror_fact(event: FactNoted, envelope: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO trial_effect (number, subject) VALUES (%s, %s)", (event.number, event.subject)
                )
            if self.indigestible.get(event.number, 0) > 0:
                self.indigestible[event.number] -= 1
                raise ValueError(f"{event.number} is indigestible")

        return FactNoted

    def note(self, subject: str, failures: int, *, rolls_back: bool) -> None:
        """A fact and its event in one transaction, or none of both."""
        self.number += 1
        event = self.fact(subject=subject, number=self.number)
        self.indigestible[self.number] = failures
        if self.double == DUAL_WRITE:
            with transaction.atomic():
                publish(event)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO trial_fact VALUES (%s, %s)", (self.number, subject))
            if self.double != DUAL_WRITE:
                publish(event)
            if rolls_back:
                transaction.set_rollback(True)

    def go_on(self, name: str, steps: int) -> None:
        """Let a process work a little."""
        for _ in range(steps):
            self.hosts[name].step()

    def die_at(self, point: str, names: list[str]) -> None:
        """Let them go on until one comes to a crash point, and dies there."""
        for name in names:
            host = self.hosts[name]
            for _ in range(_STEPS_TO_A_POINT):
                if host.step_and_die(point):
                    self.die(name)
                    return

    def host(self, name: str) -> Host:
        """A new process."""
        bus: Bus = EmbeddedBus(self.url)
        if self.double in DOUBLES:
            bus = DOUBLES[self.double](bus)
        host = Host(bus, getattr(self, _HOSTS[name]))
        host.bus.holds_back = self.double != NO_HOLD
        return host

    def relay(self, host: Host) -> None:
        """Relay without end."""
        relay = Relay(host.bus, section(EventsConfig))
        while not host.is_ending:
            with suppress(BusUnavailable):  # asked again at the next turn
                if not relay.run_once() and relay.mark_due_in() == timedelta(0):
                    relay.mark()
            host.stand(IDLE)
        relay.stop()

    def consumer(self, host: Host) -> None:
        """Consume without end."""
        backends._open[(os.getpid(), self.url)] = host.bus
        try:
            loop = ConsumerLoop()
        finally:
            del backends._open[(os.getpid(), self.url)]
        loop.run(Gate(host))

    @rule(noted=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0, 0, 0, 1, 3])), min_size=1, max_size=4))
    def publish(self, noted: list[tuple[str, int]]) -> None:
        """Each fact with how often its consumer fails; three times is once too often."""
        for subject, failures in noted:
            self.note(subject, failures, rolls_back=False)

    @rule(subject=st.sampled_from("ab"))
    def change_ones_mind(self, subject: str) -> None:
        self.note(subject, 0, rolls_back=True)

    @rule(name=st.sampled_from(sorted(_HOSTS)), steps=st.integers(1, 6))
    def one_goes_on(self, name: str, steps: int) -> None:
        self.go_on(name, steps)

    @rule(rounds=st.integers(1, 5))
    def all_go_on(self, rounds: int) -> None:
        """Long enough for retries to become due."""
        for _ in range(rounds):
            self.clock.advance(0.4)
            for name in _HOSTS:
                self.go_on(name, 3)

    @rule(name=st.sampled_from(sorted(_HOSTS)))
    def die(self, name: str) -> None:
        self.hosts[name].kill()
        self.hosts[name] = self.host(name)

    @rule(point=st.sampled_from(_RELAYING))
    def die_relaying(self, point: str) -> None:
        """Whichever relay comes to the point."""
        self.note("a", 0, rolls_back=False)
        self.die_at(point, ["relay a", "relay b"])

    @rule(point=st.sampled_from(_CONSUMING))
    def die_consuming(self, point: str) -> None:
        """Whichever consumer comes to the point."""
        self.note("b", 0, rolls_back=False)
        for name in ("relay a", "relay b"):
            self.go_on(name, 4)
        self.die_at(point, ["consumer a", "consumer b"])

    @rule(name=st.sampled_from(sorted(_HOSTS)))
    def end_in_good_order(self, name: str) -> None:
        self.hosts[name].end()
        self.hosts[name] = self.host(name)

    @rule(name=st.sampled_from(["relay a", "relay b"]), mood=st.sampled_from(["unreachable", "unheard", "refuses"]))
    def the_bus_has_a_bad_moment(self, name: str, mood: str) -> None:
        if mood == "refuses":
            if self.refusals == 2:  # a third would be given up, and then a person has to revive it
                return
            self.refusals += 1
        self.hosts[name].bus.mood = mood

    @rule(seconds=st.sampled_from([0.1, 4, 40]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: is_relayed())
    @rule()
    def the_retention_passes(self) -> None:
        """Only what has left the outbox: an event relayed again later than that is beyond the guarantee."""
        self.all_go_on(rounds=2)
        self.clock.advance(RETENTION + timedelta(minutes=1))
        self.all_go_on(rounds=1)

    @rule()
    def give_up_mend_and_replay(self) -> None:
        """Whichever is dead for longest, if one is after a while."""
        self.note("a", 3, rolls_back=False)
        self.all_go_on(rounds=4)
        letter = DeadLetter.objects.filter(**_DEAD).order_by("died_at").first()
        if letter is not None:
            number = self.number_of(letter)
            self.replayed.append(number)
            self.indigestible[number] = 0
            dead_letters.replay([letter.pk])

    @invariant()
    def nothing_is_invented_doubled_or_overtaken(self) -> None:
        refute("phantom", PHANTOM)
        refute("twice", TWICE)
        refute("overtaken", OVERTAKEN, str(self.replayed))

    def teardown(self) -> None:
        """Let everything settle, and see that nothing is lost."""
        try:
            self.settle()
            self.nothing_is_invented_doubled_or_overtaken()
            refute("lost", LOST, str([self.number_of(letter) for letter in DeadLetter.objects.filter(**_DEAD)]))
        finally:
            for host in self.hosts.values():
                host.kill()
            self.stack.close()

    def settle(self) -> None:
        """Go on until nothing is pending anywhere."""
        for turn in range(_ROUNDS):
            for host in self.hosts.values():
                host.step()
            if is_settled(self.url):
                return
            self.clock.advance(0.5 if turn % 4 == 0 else 0)
        raise AssertionError("something stays pending for ever")

    def number_of(self, letter: DeadLetter) -> int:
        """Which fact a dead letter is about."""
        number: int = self.fact.decoded(dead_letters.event_data(letter.pk)).number
        return number
