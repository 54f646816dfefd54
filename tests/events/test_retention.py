"""What is forgotten and when, what is measured, and what the bus command shows."""

from datetime import timedelta

import pytest
from django.db import transaction
from prometheus_client import REGISTRY

from bandstand import clock
from bandstand.events import Event, consumer, dead_letters, publish, replaying
from bandstand.events.consuming import ConsumerLoop
from bandstand.events.groups import default_group
from bandstand.events.measures import ConsumerGauges, RelayGauges
from bandstand.events.models import DeadLetter, InboxRow
from bandstand.events.retention import Housekeeping, purge_dead_letters, purge_inbox

AT_ONCE = {"RETRY_BASE": timedelta(0), "ATTEMPTS": 2}
LONG_AGO = timedelta(days=400)


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


def announce(*things):
    with transaction.atomic():
        for thing in things:
            publish(ThingMade(thing=thing))


@pytest.fixture
def picky():
    @consumer(ThingMade)
    def picky(event, envelope):
        if event.thing == "bad":
            raise ValueError(event.thing)


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_the_inbox_forgets_what_was_applied_long_ago_and_nothing_else(stage, picky):
    announce("old", "new", "bad")
    stage.relay()
    stage.consume(5)
    assert purge_inbox(stage.config, default_group()) == 0
    oldest = InboxRow.objects.filter(applied_at__isnull=False).order_by("event_id").first()
    InboxRow.objects.filter(event_id=oldest.event_id).update(applied_at=clock.now() - LONG_AGO)
    assert purge_inbox(stage.config, default_group()) == 1
    assert InboxRow.objects.count() == 2
    assert InboxRow.objects.filter(applied_at=None).count() == 1  # the dead letter's


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_dead_letters_are_forgotten_only_once_closed(stage, picky):
    announce("bad")
    stage.relay()
    stage.consume(5)
    DeadLetter.objects.update(died_at=clock.now() - LONG_AGO)
    assert purge_dead_letters(stage.config) == 0
    dead_letters.discard([DeadLetter.objects.get().id])
    DeadLetter.objects.update(closed_at=clock.now() - LONG_AGO)
    assert purge_dead_letters(stage.config) == 1


def test_the_consumer_loop_keeps_house_only_when_everything_is_acknowledged(stage, picky):
    """Otherwise a redelivery could meet an inbox that has forgotten it."""
    kept = []
    loop = ConsumerLoop()
    loop._housekeeping = Housekeeping(lambda: kept.append(1) or 0, every=timedelta(0))
    announce("a")
    stage.relay()
    loop._consume()
    assert kept == []
    loop._flushed_at -= 10
    loop._consume()
    assert kept == [1]
    loop._leave()
    loop._waiter.close()


def test_full_batches_are_followed_soon(stage):
    counts = iter([1000, 1000, 5])
    house = Housekeeping(lambda: next(counts), every=timedelta(hours=1))
    house._due = 0
    house.run_due()
    assert next(counts, None) is None, "within one run: a busy table grows by thousands of rows a second"
    assert house._due > clock.monotonic() + 3000


def test_housekeeping_that_finds_no_end_lets_others_go_on_and_comes_back_soon(stage):
    house = Housekeeping(lambda: 1000, every=timedelta(hours=1))
    house._due = 0
    house.run_due()
    assert house._due < clock.monotonic() + 2


def test_one_row_of_a_consumer_stays_for_by_it_a_replay_knows_its_past(stage, picky):
    announce("a", "b", "c")
    stage.carry()
    InboxRow.objects.update(applied_at=clock.now() - LONG_AGO)
    assert purge_inbox(stage.config, default_group()) == 2
    assert purge_inbox(stage.config, default_group()) == 0
    assert replaying.begin(["picky"]).since is not None


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_gauges_tell_how_far_behind_everything_is(stage, picky):
    stage.consume()  # the group registers
    announce("a", "bad")
    RelayGauges(stage.config).measure()
    assert REGISTRY.get_sample_value("outbox_pending") == 2
    assert REGISTRY.get_sample_value("outbox_oldest_age_seconds") > 0
    stage.relay()
    ConsumerGauges(stage.bus, "project", stage.config).measure()
    assert REGISTRY.get_sample_value("consumer_lag", {"group": "project"}) == 2
    stage.consume(5)
    RelayGauges(stage.config).measure()
    ConsumerGauges(stage.bus, "project", stage.config).measure()
    assert REGISTRY.get_sample_value("outbox_pending") == 0
    assert REGISTRY.get_sample_value("dead_letters") == 1
