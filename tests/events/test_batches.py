"""Consumers of batches: one call for all events of a transaction, and alone again when that fails."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from tests.events.staging import on_both

from bandstand import context
from bandstand.events import Event, consumer, publish
from bandstand.events.backends import Message
from bandstand.events.models import DeadLetter, InboxRow, OutboxRow, WaitingRow

AT_ONCE = {"RETRY_BASE": timedelta(0), "ATTEMPTS": 2}


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    number: int = 0


def announce(*things, using="default"):
    with transaction.atomic(using=using):
        for number, thing in enumerate(things):
            publish(ThingMade(thing=thing, number=number))


@on_both()
def test_all_events_of_a_transaction_come_in_one_list_in_order(theatre):
    calls = []

    @consumer(ThingMade, batch=True)
    def record(batch):
        calls.append([(event.thing, event.number, envelope.subject) for event, envelope in batch])

    announce("a", "b", "a", using=theatre.config.database)
    theatre.carry()
    assert calls == [[("a", 0, "a"), ("b", 1, "b"), ("a", 2, "a")]]
    assert InboxRow.objects.using(theatre.config.database).filter(applied_at__isnull=False).count() == 3


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_a_batch_that_fails_is_applied_one_by_one_so_that_only_the_guilty_waits(stage):
    calls = []

    @consumer(ThingMade, batch=True)
    def record(batch):
        things = [event.thing for event, _ in batch]
        calls.append(things)
        Group.objects.create(name="-".join(things))
        if "bad" in things:
            raise ValueError("bad")

    announce("a", "bad", "b")
    stage.relay()
    stage.consume()
    assert calls == [["a", "bad", "b"], ["a"], ["bad"], ["b"]]
    assert sorted(Group.objects.values_list("name", flat=True)) == ["a", "b"]
    assert WaitingRow.objects.get().subject == "bad"
    stage.consume(2)
    assert calls[4:] == [["bad"]]
    assert DeadLetter.objects.get().reason == "ValueError: bad"


def test_what_cannot_be_read_is_left_out_of_the_batch(stage):
    calls = []

    @consumer(ThingMade, batch=True)
    def record(batch):
        calls.append([event.thing for event, _ in batch])

    announce("a", "b")
    row = OutboxRow.objects.order_by("id").first()
    stage.consume()
    poison = Message(event_id="x", type=row.type, subject="a", body='{"nothing": 1}')
    stage.bus.publish([poison])
    stage.carry()
    assert sorted(thing for call in calls for thing in call) == ["a", "b"]
    assert DeadLetter.objects.get().event_id


def test_an_event_delivered_twice_stands_in_the_batch_once(stage):
    calls = []

    @consumer(ThingMade, batch=True)
    def record(batch):
        calls.append([event.thing for event, _ in batch])

    announce("a")
    row = OutboxRow.objects.get()
    stage.bus.publish([Message(event_id=str(row.event_id), type=row.type, subject="a", body=row.envelope)])
    stage.carry()
    assert calls == [["a"]]


def test_singles_and_batches_of_one_event_both_get_it(stage):
    singles, batches = [], []

    @consumer(ThingMade)
    def one(event, envelope):
        singles.append(event.thing)

    @consumer(ThingMade, batch=True)
    def many(batch):
        batches.append(len(batch))

    announce("a", "b")
    stage.carry()
    assert (singles, batches) == (["a", "b"], [2])


def test_a_batch_of_one_runs_within_the_context_of_its_event(stage):
    seen = []

    @consumer(ThingMade, batch=True)
    def look(batch):
        seen.append(context.current())

    work = context.Context()
    with context.bound(work):
        announce("a")
    stage.carry()
    assert seen[0].correlation_id == work.correlation_id


def test_a_hundred_events_cost_a_batch_as_many_statements_as_one(stage):
    @consumer(ThingMade, batch=True)
    def record(batch):
        Group.objects.bulk_create(Group(name=str(envelope.id)) for _, envelope in batch)

    def statements(count):
        announce(*[f"{count}"] * count)
        stage.relay()
        before = len(Group.objects.all())
        with CaptureQueriesContext(connection) as queries:
            stage.consume()
        assert len(Group.objects.all()) == before + count
        return len(queries)

    statements(1)
    assert statements(100) <= statements(1) + 1
