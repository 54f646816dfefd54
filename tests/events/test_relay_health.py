"""A relay that does not relay is seen: in the health report of any process of the service, and in its metrics."""

import threading
from datetime import timedelta

import pytest
from django.db import transaction
from prometheus_client import REGISTRY
from tests.events.brokers import Broker
from tests.events.staging import on_both

from bandstand import clock, health
from bandstand.events import Event, consumer, publish
from bandstand.events.backends import BusUnavailable
from bandstand.events.measures import RelayGauges
from bandstand.events.models import DeliveredRow, OutboxRow
from bandstand.events.relay import Relay, RelayLoop
from bandstand.events.relay.health import RelayOverdue, check_relay
from bandstand.health import Check, checks, register_check

AT_ONCE = {"RETRY_BASE": timedelta(0), "ATTEMPTS": 3}
LONG_AGO = timedelta(minutes=5)


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


def announce(stage, *things, ago=timedelta(0)):
    using = stage.config.database
    with transaction.atomic(using=using):
        for thing in things:
            publish(ThingMade(thing=thing))
        rows = OutboxRow.objects.using(using).filter(subject__in=things)
        rows.update(created_at=clock.database_now(using) - ago)


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


@on_both()
def test_nothing_relays_and_the_report_says_what_to_do(theatre):
    announce(theatre, "a", ago=LONG_AGO)
    with pytest.raises(RelayOverdue, match=r"waits for 30\d s .* start a worker with the loop relay"):
        check_relay()
    assert counted("outbox_pending") == 1, "where no relay runs, the report measures"


@on_both()
def test_a_relay_that_tries_in_vain_is_named(theatre):
    announce(theatre, "a", ago=LONG_AGO)
    with pytest.raises(BusUnavailable):
        Relay(Broker(is_down=True), theatre.config).run_once()
    with pytest.raises(RelayOverdue, match=r"the relay of \S+ tries in vain"):
        check_relay()


@on_both()
def test_a_backlog_that_is_worked_off_is_fine(theatre):
    announce(theatre, "a")
    theatre.relay()
    announce(theatre, "b", ago=LONG_AGO)
    assert check_relay()["oldest_seconds"] >= 300
    DeliveredRow.objects.using(theatre.config.database).update(delivered_at=clock.now() - LONG_AGO)
    with pytest.raises(RelayOverdue):
        check_relay()


@pytest.mark.parametrize("stage", [{"RETRY_BASE": timedelta(hours=1), "RETRY_CAP": timedelta(hours=1)}], indirect=True)
def test_what_the_bus_refused_is_not_the_relays_fault(stage):
    announce(stage, "bad")
    announce(stage, "bad")
    Relay(Broker(refuses={"bad"}), stage.config).run_once()
    OutboxRow.objects.update(created_at=clock.now() - LONG_AGO)
    assert check_relay() == {"oldest_seconds": 0}


def test_a_stopped_relay_degrades_and_takes_nothing_down(stage):
    register_check(Check(name="relay", run=check_relay))  # with no answer remembered
    announce(stage, "a", ago=LONG_AGO)
    found = health.report(detail=True)
    assert (found["status"], found["checks"]["relay"]["critical"]) == ("degraded", False)
    assert "RelayOverdue: the oldest event" in found["checks"]["relay"]["problem"]
    assert health.readiness().ok
    stage.relay()
    register_check(Check(name="relay", run=check_relay))
    assert health.report()["status"] == "healthy"


def test_every_service_with_events_is_asked():
    assert "relay" in {each.name for each in checks.registered_checks()}


def test_the_outbox_is_measured_while_the_bus_is_down(stage, monkeypatch):
    announce(stage, "a")
    loop = RelayLoop()

    def refuse(*_):
        raise BusUnavailable

    monkeypatch.setattr(type(stage.bus), "publish", refuse)
    stopped = threading.Event()
    stopped.set()
    loop._turn(stopped)
    loop._waiter.close()
    assert (counted("outbox_pending"), loop._failures) == (1, 1)


@on_both()
def test_a_backlog_is_counted_to_a_bound_and_beyond_it_by_its_ids(theatre):
    rows = OutboxRow.objects.using(theatre.config.database)
    announce(theatre, "a")
    first = rows.get()

    def add(count, after):
        facts = {name: getattr(first, name) for name in ("type", "subject", "envelope", "created_at", "event_id")}
        rows.bulk_create([OutboxRow(id=after + number, **facts) for number in range(1, count + 1)])

    add(9_999, first.id + 500)
    RelayGauges(theatre.config).measure()
    assert counted("outbox_pending") == 10_000, "the gap of 500 does not count"
    add(2, first.id + 20_000)
    RelayGauges(theatre.config).measure()
    assert counted("outbox_pending") == 10_002
    add(1, first.id + 20_100)
    RelayGauges(theatre.config).measure()
    assert counted("outbox_pending") == 10_001 + 100, "what is not counted cannot be more than this"


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_what_the_relay_does_is_counted_by_outcome(stage):
    outcomes = ("accepted", "refused", "given_up")
    before = [counted("events_relayed_total", outcome=each) for each in outcomes]
    announce(stage, "a", "b", "bad")
    moving = Relay(Broker(refuses={"bad"}), stage.config)
    for _ in range(4):
        moving.run_once()
    after = [counted("events_relayed_total", outcome=each) for each in outcomes]
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 2, 1]


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_retries_and_dead_letters_are_counted_by_consumer(stage):
    @consumer(ThingMade)
    def refuse_for_good(event, envelope):
        raise ValueError

    labels = {"consumer": "project.refuse_for_good"}
    retried, dead = counted("events_retried_total", **labels), counted("events_dead_lettered_total", **labels)
    announce(stage, "a", "b")
    stage.relay()
    stage.consume(6)
    assert counted("events_retried_total", **labels) - retried == 4
    assert counted("events_dead_lettered_total", **labels) - dead == 2
