"""Several relays at once: each has its share of the subjects, a standby takes over, order within a subject is kept."""

import threading
from collections import defaultdict
from contextlib import contextmanager
from datetime import timedelta
from itertools import takewhile

import pytest
from django.db import connections, transaction
from tests.events.brokers import Broker
from tests.events.staging import on_both

from bandstand.events import Event, publish
from bandstand.events.models import Lease, OutboxRow
from bandstand.events.partitions import SLOTS, slot_of
from bandstand.events.relay.crew import Crew
from bandstand.testing.clock import held_clock

SHORT = {"RELAY_PARTITIONS": 4, "RELAY_LEASE": timedelta(milliseconds=300)}
THINGS = [f"thing-{number}" for number in range(40)]


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


four = on_both(RELAY_PARTITIONS=4)


def announce(stage, *things):
    with transaction.atomic(using=stage.config.database):
        for thing in things:
            publish(ThingMade(thing=thing))


@contextmanager
def relaying(broker, stage, *, turns=10**9):
    """A thread that relays, and starts anew after so many turns as if it had been killed."""
    over = threading.Event()

    def work():
        while not over.is_set():
            crew = Crew(broker, stage.config)
            for _ in takewhile(lambda _: not over.is_set(), range(turns)):
                crew.run_once()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def subjects_of(broker):
    return set(broker.subjects)


def test_a_slot_never_changes():
    assert [slot_of(subject) for subject in ("a", "thing-1", "")] == [3, 13, 0]
    assert {slot_of(f"thing-{number}") for number in range(1000)} == set(range(SLOTS))


def test_one_partition_writes_no_sign_of_life(stage):
    Crew(Broker(), stage.config).run_once()
    assert not Lease.objects.exists()


@four
def test_one_process_relays_all_partitions(theatre):
    broker = Broker()
    announce(theatre, *THINGS)
    assert Crew(broker, theatre.config).run_once() == len(THINGS)


@four
def test_two_processes_share_the_partitions(theatre):
    brokers = [Broker(), Broker()]
    crews = [Crew(broker, theatre.config) for broker in brokers]
    with held_clock() as clock:
        for crew in (*crews, *crews):
            crew.run_once()
            clock.advance(timedelta(seconds=1))
        announce(theatre, *THINGS)
        for crew in crews:
            crew.run_once()
    first, second = (subjects_of(broker) for broker in brokers)
    assert first | second == set(THINGS)
    assert not first & second
    assert len(first) >= 10
    assert len(second) >= 10


@four
def test_the_partitions_of_a_dead_process_are_taken_over_within_the_lease(theatre):
    survivor = Broker()
    living, dying = Crew(survivor, theatre.config), Crew(Broker(), theatre.config)
    with held_clock() as clock:
        announce(theatre, *THINGS)
        for crew in (living, dying, living, dying):
            crew.run_once()
            clock.advance(timedelta(seconds=1))
        announce(theatre, *THINGS)
        before = len(survivor.taken)
        living.run_once()
        assert len(survivor.taken) - before < len(THINGS)
        for _ in range(4):
            clock.advance(theatre.config.relay_lease / 3)
            living.run_once()
    assert not OutboxRow.objects.using(theatre.config.database).exists()


@four
def test_a_process_that_stops_hands_its_share_over_at_once(theatre):
    survivor = Broker()
    staying, leaving = Crew(survivor, theatre.config), Crew(Broker(), theatre.config)
    with held_clock() as clock:
        for crew in (staying, leaving, staying, leaving):
            crew.run_once()
            clock.advance(timedelta(seconds=1))
        leaving.stop()
        clock.advance(timedelta(seconds=1))
        announce(theatre, *THINGS)
        assert staying.run_once() == len(THINGS)


@pytest.mark.parametrize("postgres_stage", [SHORT], indirect=True)
def test_order_within_a_subject_survives_processes_that_come_and_go(postgres_stage):
    """Two relays of this moment, one of which is replaced again and again without a word."""
    broker = Broker()
    with relaying(broker, postgres_stage), relaying(broker, postgres_stage, turns=20):
        for _ in range(20):
            announce(postgres_stage, *THINGS[:10])
        postgres_stage.eventually(lambda: not OutboxRow.objects.using("postgres").exists())
    order = defaultdict(list)
    for message in broker.taken:
        if message.event_id not in order[message.subject]:
            order[message.subject].append(message.event_id)
    assert all(len(ids) == 20 for ids in order.values())
    assert all(ids == sorted(ids) for ids in order.values()), "event ids grow with time"
