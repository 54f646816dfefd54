"""The relay on PostgreSQL: ids that commit late, rows that cannot be vacuumed, transactions that stay short."""

import json
import threading
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext
from tests.events.brokers import Broker
from tests.events.postgres import ALIAS

from bandstand.events import Event, publish, relay
from bandstand.events.models import DeliveredRow, OutboxRow
from bandstand.events.partitions import WHOLE
from bandstand.events.relay import Relay
from bandstand.events.relay.low_water import LowWater
from bandstand.testing.clock import held_clock

OUTBOX = OutboxRow.objects.using(ALIAS)


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


def announce(*things):
    with transaction.atomic(using=ALIAS):
        for thing in things:
            publish(ThingMade(thing=thing))


def lowest():
    return OUTBOX.order_by("id").values_list("id", flat=True).first()


@contextmanager
def publishing_late(*things):
    """A transaction of another thread that publishes at once and commits when this block ends."""
    published, may_commit = threading.Event(), threading.Event()

    def work():
        with transaction.atomic(using=ALIAS):
            for thing in things:
                publish(ThingMade(thing=thing))
            published.set()
            may_commit.wait(30)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    published.wait(30)
    try:
        yield
    finally:
        may_commit.set()
        thread.join(30)


@pytest.fixture
def pinning(postgres_url):
    """A reader whose snapshot keeps everything that is deleted meanwhile from being vacuumed."""
    with psycopg.connect(postgres_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT count(*) FROM bandstand_events_outbox")
        yield connection


def test_rows_are_moved_by_one_statement(postgres_stage):
    announce("a", "b")
    with CaptureQueriesContext(connections[ALIAS]) as queries:
        postgres_stage.relay()
    writing = [query["sql"] for query in queries if "DELETE FROM bandstand_events_outbox" in query["sql"]]
    (statement,) = writing
    assert "INSERT INTO bandstand_events_delivered" in statement
    assert not OUTBOX.exists()
    assert DeliveredRow.objects.using(ALIAS).count() == 2


def test_a_first_backlog_is_read_in_order_instead_of_sorted_for_every_batch(postgres_stage):
    """An empty table has no statistics, and PostgreSQL expects few live rows in one that it knows nothing about."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "INSERT INTO bandstand_events_outbox (event_id, type, subject, envelope, created_at)"
            " SELECT gen_random_uuid(), 'project.thing_made.v1', n::text, '{}', now() FROM generate_series(1, 5000) n"
        )
    moving = Relay(Broker(), postgres_stage.config)
    moving.run_once()
    with CaptureQueriesContext(connections[ALIAS]) as queries:
        moving.run_once()
    claim = next(query["sql"] for query in queries if "ORDER BY id LIMIT" in query["sql"])
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"EXPLAIN {claim.replace('%', '%%')}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Sort" not in plan, plan


def test_no_transaction_is_open_while_the_broker_is_asked(postgres_stage, postgres_url):
    announce("a", "b")
    seen = []
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (relays,) = cursor.fetchone()
    with psycopg.connect(postgres_url, autocommit=True) as watcher:

        def look():
            states = "SELECT state FROM pg_stat_activity WHERE pid = %s"
            seen.extend(watcher.execute(states, (relays,)).fetchall())

        assert Relay(Broker(watching=look), postgres_stage.config).run_once() == 2
    assert seen == [("idle",)]


def test_an_event_that_commits_after_later_ones_is_not_lost(postgres_stage):
    broker = Broker()
    moving = Relay(broker, postgres_stage.config)
    with held_clock() as clock, publishing_late("early"):
        announce("late")
        for _ in range(4):
            moving.run_once()
            clock.advance(timedelta(seconds=2))
        assert broker.subjects == ["late"]
    moving.run_once()
    assert broker.subjects == ["late", "early"]


def test_an_event_that_commits_late_is_not_overtaken_by_its_own_subject(postgres_stage):
    """The one below the low water would be found by the next look at the whole table, after its successor."""
    broker = Broker()
    moving = Relay(broker, postgres_stage.config)
    with held_clock() as clock:
        with publishing_late("thing"):
            announce("another")
            for _ in range(4):
                moving.run_once()
                clock.advance(timedelta(seconds=2))
        announce("thing")
        moving.run_once()
    assert broker.subjects == ["another", "thing", "thing"]
    assert [message.event_id for message in broker.taken] == [
        str(row.event_id) for row in DeliveredRow.objects.using(ALIAS).order_by("subject", "id")
    ]


def test_an_event_whose_transaction_is_prepared_is_not_lost(postgres_stage):
    """A prepared transaction has no process any more, but may still commit."""
    broker = Broker()
    moving = Relay(broker, postgres_stage.config)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "INSERT INTO bandstand_events_outbox (event_id, type, subject, envelope, created_at)"
            " VALUES (gen_random_uuid(), 'project.thing_made.v1', 'early', '{}', now())"
        )
        cursor.execute("PREPARE TRANSACTION 'early'")
        with held_clock() as clock:
            announce("late")
            for _ in range(4):
                moving.run_once()
                clock.advance(timedelta(seconds=2))
            assert broker.subjects == ["late"]
            cursor.execute("COMMIT PREPARED 'early'")
            moving.run_once()
    assert broker.subjects == ["late", "early"]


def test_the_low_water_rises_once_no_writer_is_left(postgres_stage):
    low = LowWater(ALIAS, WHOLE)
    with held_clock() as clock, publishing_late("early"):
        announce("late")
        OUTBOX.all().delete()
        for _ in range(3):
            low.advance(2)
            clock.advance(timedelta(seconds=2))
        assert low.id == 0
    with held_clock() as clock:
        for _ in range(3):
            clock.advance(timedelta(seconds=2))
            low.advance(2)
    assert low.id == lowest() - 1 == 0


def test_the_low_water_stays_below_what_the_bus_refused(postgres_stage):
    low = LowWater(ALIAS, WHOLE)
    announce("a", "b", "c")
    first = lowest()
    OUTBOX.filter(id=first).delete()
    with held_clock() as clock:
        for _ in range(3):
            low.advance(first + 2)
            clock.advance(timedelta(seconds=2))
    assert low.id == first


@pytest.mark.parametrize("postgres_stage", [{"ATTEMPTS": 1}], indirect=True)
def test_a_dead_event_below_the_low_water_is_found_again_when_it_is_revived(postgres_stage):
    broker = Broker(refuses={"bad"})
    moving = Relay(broker, postgres_stage.config)
    announce("bad", "good")
    with held_clock() as clock:
        for _ in range(4):
            moving.run_once()
            clock.advance(timedelta(seconds=2))
        broker.refuses = set()
        relay.revive()
        for _ in range(12):
            moving.run_once()
            clock.advance(timedelta(seconds=1))
    assert broker.subjects == ["good", "bad"]


def buffers_of_a_claim(moving):
    with CaptureQueriesContext(connections[ALIAS]) as queries:
        moving.run_once()
    (claim,) = [query["sql"] for query in queries if "ORDER BY id LIMIT" in query["sql"]]
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + claim.replace("%", "%%"))
        (plan,) = cursor.fetchone()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]


def test_dead_rows_that_cannot_be_vacuumed_do_not_make_a_claim_dearer(postgres_stage, pinning):
    """100,000 of them made it thirteen times as dear as in a clean table."""
    clean = buffers_of_a_claim(Relay(Broker(), postgres_stage.config))
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "INSERT INTO bandstand_events_outbox (event_id, type, subject, envelope, created_at)"
            " SELECT gen_random_uuid(), 'project.thing_made.v1', n, '{}', now() FROM generate_series(1, 5000) n"
        )
    moving = Relay(Broker(), postgres_stage.config)
    with held_clock() as clock:
        while moving.run_once():
            clock.advance(timedelta(seconds=1))
        for _ in range(4):
            clock.advance(timedelta(seconds=1))
            moving.run_once()
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("ANALYZE bandstand_events_outbox")  # as the server does by itself within a minute
        assert buffers_of_a_claim(Relay(Broker(), postgres_stage.config)) > 50, "the dead rows are still there"
        assert buffers_of_a_claim(moving) <= clean + 4


def test_the_outbox_is_vacuumed_soon(postgres_stage):
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'bandstand_events_outbox'")
        (options,) = cursor.fetchone()
    assert {"autovacuum_vacuum_scale_factor=0", "autovacuum_vacuum_threshold=1000"} <= set(options)
