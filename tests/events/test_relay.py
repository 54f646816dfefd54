"""The relay: nothing marked that the bus has not, nothing lost, no position kept, one subject blocks nobody else."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from tests.events.brokers import Broker

from bandstand import clock
from bandstand.events import Event, consumer, publish, relay
from bandstand.events.backends import BusUnavailable, current_bus
from bandstand.events.models import DeliveredRow, Lease, OutboxRow
from bandstand.events.relay import Relay
from bandstand.events.retention import DeliveredPurge

AT_ONCE = {"RETRY_BASE": timedelta(0), "ATTEMPTS": 3}


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    note: str = ""


def announce(*things):
    with transaction.atomic():
        for thing in things:
            publish(ThingMade(thing=thing))


def test_a_bus_that_is_down_leaves_everything_pending(stage):
    announce("a", "b")
    with pytest.raises(BusUnavailable):
        Relay(Broker(is_down=True), stage.config).run_once()
    assert OutboxRow.objects.count() == 2
    assert not DeliveredRow.objects.exists()


@pytest.mark.parametrize("stage", [{"RETRY_BASE": timedelta(hours=1)}], indirect=True)
def test_a_refused_event_blocks_only_its_own_subject(stage):
    announce("bad", "a", "bad", "b")
    broker = Broker(refuses={"bad"})
    moving = Relay(broker, stage.config)
    assert moving.run_once() == 2
    announce("c", "bad")
    assert moving.run_once() == 1
    assert broker.subjects == ["a", "b", "c"]
    assert list(OutboxRow.objects.order_by("id").values_list("subject", "attempts")) == [
        ("bad", 1),
        ("bad", 0),
        ("bad", 0),
    ]


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_an_event_the_bus_never_takes_becomes_dead_and_those_behind_it_follow(stage):
    announce("bad")
    broker = Broker(refuses={"bad"})
    moving = Relay(broker, stage.config)
    for _ in range(3):
        moving.run_once()
    dead = OutboxRow.objects.get()
    assert (dead.attempts, dead.reason) == (3, "not for me")
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM audit_outbox")
        assert cursor.fetchall() == [("dead",)]
    broker.refuses = set()
    announce("bad")
    assert moving.run_once() == 1
    assert relay.revive() == 1
    assert moving.run_once() == 1
    assert not OutboxRow.objects.exists()


def test_two_relays_at_once_lose_nothing_and_keep_order(stage):
    """Both read before either marks: the worst that a lost lease can do."""
    announce("a", "a", "a")
    broker = Broker()
    one, two = Relay(broker, stage.config), Relay(broker, stage.config)
    rows = one._outbox.pending(10, without=())
    first = broker.publish([row.message() for row in rows[:2]])
    seen_by_two = two._outbox.pending(10, without=())
    one._note(rows[:2], first)
    two._note(seen_by_two, broker.publish([row.message() for row in seen_by_two]))
    order = list(dict.fromkeys(message.event_id for message in broker.taken))
    assert order == [row.event_id for row in rows]
    assert DeliveredRow.objects.count() == 3
    assert not OutboxRow.objects.exists()


def test_an_id_that_becomes_visible_late_is_not_passed_over(stage):
    """On PostgreSQL a lower id may commit after a higher one: the relay must not remember a position."""
    broker = Broker()
    moving = Relay(broker, stage.config)
    announce("early", "late")
    late = OutboxRow.objects.get(subject="early")
    OutboxRow.objects.filter(pk=late.pk).delete()  # not committed yet, as far as anybody can see
    assert moving.run_once() == 1
    late.save(force_insert=True)  # now it is, with the lower id
    moving.run_once()
    assert broker.subjects == ["late", "early"]


@pytest.mark.parametrize("stage", [{"MARK_INTERVAL": timedelta(hours=1)}], indirect=True)
def test_marking_is_gathered_and_nothing_is_published_twice_meanwhile(stage):
    broker = Broker()
    moving = Relay(broker, stage.config)
    announce("a", "b")
    assert moving.run_once() == 2
    announce("c")
    assert moving.run_once() == 1
    assert moving.run_once() == 0
    assert OutboxRow.objects.count() == 3
    moving.stop()
    assert broker.subjects == ["a", "b", "c"]
    assert DeliveredRow.objects.count() == 3


@pytest.mark.parametrize("stage", [{"MARK_INTERVAL": timedelta(milliseconds=20)}], indirect=True)
def test_the_loop_marks_soon_without_being_woken(stage):
    with stage.running("relay"):
        announce("a")
        stage.eventually(DeliveredRow.objects.exists, seconds=0.8)


def test_one_relay_leads_and_a_standby_takes_over(stage):
    announce("a")
    broker = Broker()
    leader, standby = Relay(broker, stage.config), Relay(broker, stage.config)
    assert leader.run_once() == 1
    announce("b")
    assert standby.run_once() == 0
    leader.stop()
    assert standby.run_once() == 1


def test_a_lease_of_a_dead_relay_runs_out(stage):
    announce("a")
    past = clock.now() - timedelta(seconds=1)
    Lease.objects.create(name="relay", owner="somebody dead", until=past)
    assert Relay(Broker(), stage.config).run_once() == 1


def test_an_idle_relay_writes_nothing(stage):
    moving = Relay(Broker(), stage.config)
    with CaptureQueriesContext(connection) as queries:
        assert moving.run_once() == 0
    assert all("SELECT" in query["sql"][:20] for query in queries)
    assert not Lease.objects.exists()


@pytest.mark.parametrize("stage", [{"BATCH": 7}], indirect=True)
def test_sequences_reach_the_bus_and_grow(stage):
    seen = []

    @consumer(ThingMade)
    def look(event, envelope):
        seen.append(envelope.sequence)

    announce(*["a"] * 20)
    assert stage.relay() == 20
    stage.consume(3)
    assert len(seen) == 20
    assert seen == sorted(set(seen))


def test_batches_of_large_events_have_few_of_them(stage):
    with transaction.atomic():
        for _ in range(130):
            publish(ThingMade(thing="a", note="x" * 100_000))
    broker = Broker()
    moving = Relay(broker, stage.config)
    counts = []
    while moving.run_once():
        counts.append(len(broker.taken) - sum(counts))
    assert sum(counts) == 130
    assert max(counts[1:]) < 41


def test_batches_of_small_events_grow(stage):
    announce(*["a"] * 151)
    moving = Relay(Broker(), stage.config)
    assert [moving.run_once() for _ in range(3)] == [50, 100, 1]


def test_ids_are_never_used_twice_even_after_the_table_was_emptied(stage):
    announce("a")
    first = OutboxRow.objects.get().id
    stage.relay()
    announce("a")
    assert OutboxRow.objects.get().id > first


def test_delivered_events_are_kept_for_the_retention_and_then_forgotten(stage):
    announce("a", "b")
    stage.relay()
    assert DeliveredPurge(stage.config)() == 0
    DeliveredRow.objects.filter(subject="a").update(delivered_at=clock.now() - timedelta(hours=25))
    assert DeliveredPurge(stage.config)() == 1
    assert DeliveredRow.objects.get().subject == "b"


def test_events_delivered_late_do_not_keep_those_after_them_from_being_forgotten(stage):
    """As when many were revived: their ids are low, their delivery is young."""
    now, long_ago = clock.now(), clock.now() - timedelta(hours=25)
    facts = {"event_id": uuid4(), "type": "t", "created_at": long_ago}
    late = [DeliveredRow(id=number, subject="late", delivered_at=now, **facts) for number in range(1, 2001)]
    old = [DeliveredRow(id=number, subject="old", delivered_at=long_ago, **facts) for number in range(2001, 2006)]
    new = DeliveredRow(id=3000, subject="new", delivered_at=now, **facts | {"created_at": now})
    DeliveredRow.objects.bulk_create([*late, *old, new])
    purge = DeliveredPurge(stage.config)
    assert [purge() for _ in range(3)] == [1000, 1000, 5]
    assert set(DeliveredRow.objects.values_list("subject", flat=True)) == {"late", "new"}
    assert [purge() for _ in range(3)] == [1000, 1000, 0], "it begins anew, and knows the end"


def test_a_bus_that_comes_back_gets_everything(stage, tmp_path):
    (tmp_path / "bus.sqlite3").write_bytes(b"no database" * 1000)
    with stage.running("relay"):
        announce("a")
        assert OutboxRow.objects.count() == 1
        (tmp_path / "bus.sqlite3").unlink()
        stage.eventually(lambda: not OutboxRow.objects.exists())
    assert current_bus() is stage.bus
