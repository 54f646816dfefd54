"""Retries: the failures of one consumer, or of one key, are no reason for others to wait."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction
from tests.events.staging import on_both

from bandstand import clock
from bandstand.events import Event, consumer, publish
from bandstand.events.groups import default_group
from bandstand.events.models import InboxRow, OutboxRow, WaitingRow
from bandstand.events.waiting import Retries

NOW, IN_AN_HOUR = timedelta(0), timedelta(hours=1)


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


@pytest.fixture
def seen():
    """What the sound consumers have applied: one beside the poisoned one, one whose name comes after it."""
    found = []

    @consumer(ThingMade)
    def poisoned(event, envelope):
        raise ValueError(event.thing)

    @consumer(ThingMade)
    def sound(event, envelope):
        found.append(event.thing)

    return found


def wait(stage, consumer_id, subjects, *, after=NOW):
    """Let an event about each of *subjects* wait for a consumer that has failed it before."""
    using = stage.config.database
    with transaction.atomic(using=using):
        publish(ThingMade(thing="thing"))
    event = OutboxRow.objects.using(using).latest("id")
    next_at = clock.database_now(using) + after
    ids = [UUID(int=(event.id << 32) + number) for number, _ in enumerate(subjects)]
    InboxRow.objects.using(using).bulk_create(InboxRow(consumer=consumer_id, event_id=each) for each in ids)
    facts = {"consumer": consumer_id, "type": event.type, "envelope": event.envelope, "next_at": next_at, "attempts": 1}
    rows = (WaitingRow(event_id=each, subject=of, **facts) for each, of in zip(ids, subjects, strict=True))
    WaitingRow.objects.using(using).bulk_create(rows)


@on_both(ATTEMPTS=1000, RETRY_BASE=NOW)
@pytest.mark.parametrize("after", [NOW, IN_AN_HOUR], ids=["due", "not due"])
def test_poisoned_keys_of_one_consumer_do_not_delay_the_retries_of_another(theatre, seen, after):
    wait(theatre, "project.poisoned", [f"bad-{number}" for number in range(1_001)], after=after)
    wait(theatre, "project.sound", ["good"])
    Retries(default_group(), theatre.config).run_due()
    assert seen == ["thing"]


@on_both(ATTEMPTS=1000, RETRY_BASE=NOW)
def test_keys_that_fail_for_ever_do_not_delay_those_after_them(theatre, seen):
    wait(theatre, "project.poisoned", [f"bad-{number}" for number in range(300)])
    retries = Retries(default_group(), theatre.config)
    for _ in range(3):
        retries.run_due()
    attempts = WaitingRow.objects.using(theatre.config.database).values_list("attempts", flat=True)
    assert set(attempts) == {2}, "each was tried once more before any was tried twice"


@on_both()
def test_the_next_look_is_when_the_first_key_is_due(theatre, seen):
    wait(theatre, "project.poisoned", ["a"], after=timedelta(milliseconds=500))
    wait(theatre, "project.sound", ["b"], after=IN_AN_HOUR)
    pause = Retries(default_group(), theatre.config).run_due()
    assert NOW < pause <= timedelta(milliseconds=500)
