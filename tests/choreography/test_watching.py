"""Journeys that events move: whoever publishes them, in whatever order, however often."""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import connection, transaction
from prometheus_client import REGISTRY

from bandstand.events import registry
from bandstand.events.models import DeadLetter
from bandstand.events.readers import reader
from bandstand.lifecycle import registered_loops
from bandstand.sagas.choreography import store
from bandstand.sagas.choreography.models import ChoreographyWatch
from tests.choreography.world import HOUR, MINUTE, World, consumer_names, declare
from tests.events.staging import staged


def counted(state: str) -> float:
    return REGISTRY.get_sample_value("choreography_total", {"choreography": "parcel_journey", "state": state}) or 0


def test_a_journey_goes_from_its_first_event_to_a_last_one(world: World):
    world.send("p1")
    assert (world.state("p1"), world.row("p1").waiting_for) == ("watching", "carrier.parcel_collected.v1")
    assert world.row("p1").due_at == world.clock.now() + HOUR
    world.collected("p1")
    assert world.row("p1").waiting_for == "carrier.parcel_delivered.v1 carrier.parcel_lost.v1"
    world.delivered("p1")
    assert (world.state("p1"), world.row("p1").waiting_for, world.row("p1").due_at) == ("completed", "", None)


def test_a_journey_begins_in_the_transaction_that_publishes_its_first_event(world: World):
    with transaction.atomic():
        world.send("p1")
        assert world.row("p1")
        transaction.set_rollback(True)
    assert not ChoreographyWatch.objects.exists()


def test_a_journey_may_leave_its_first_event_to_the_bus(tmp_path, transactional_db, declarations, time):
    with staged(tmp_path) as stage:
        world = World(time, declare(locally=False))
        world.send("p1")
        assert not ChoreographyWatch.objects.exists()
        stage.consume(group="choreographies")
        stage.relay()
        stage.consume(group="choreographies")
        assert world.row("p1").waiting_for == "carrier.parcel_collected.v1"


def test_several_journeys_move_in_one_transaction(world: World):
    world.send("p1", "p2", "p3")
    collected = [world.told("carrier.parcel_collected.v1", each, field="tracked") for each in ("p3", "p1", "p4")]
    world.hear(*collected, world.told("carrier.parcel_delivered.v1", "p1"))
    assert [world.state(each) for each in ("p1", "p2", "p3", "p4")] == ["completed", *["watching"] * 3]


def test_an_event_that_comes_again_under_another_id_changes_nothing(world: World):
    world.send("p1")
    world.collected("p1")
    before = world.row("p1")
    world.clock.advance(MINUTE)
    world.collected("p1")
    assert (world.row("p1").seen, world.row("p1").moved_at) == (before.seen, before.moved_at)


def test_an_event_that_comes_twice_under_one_id_counts_once(world: World):
    world.send("p1")
    message = world.told("carrier.parcel_collected.v1", "p1", field="tracked", event_id=uuid4())
    world.hear(message, message)
    world.hear(message)
    assert len(world.row("p1").moments) == 2


def test_an_early_event_is_remembered_until_those_before_it_come(world: World):
    world.delivered("p1")
    assert (world.state("p1"), world.row("p1").waiting_for) == ("watching", "project.parcel_sent.v1")
    world.send("p1")
    assert world.row("p1").waiting_for == "carrier.parcel_collected.v1"
    world.collected("p1")
    assert world.state("p1") == "completed"


def test_a_step_that_was_passed_over_is_a_deviation_once_patience_is_over(world: World, caplog):
    world.send("p1")
    world.delivered("p1")
    world.wait(world.journey.patience - timedelta(seconds=1))
    assert world.state("p1") == "watching"
    world.wait(timedelta(seconds=1))
    assert (world.state("p1"), world.row("p1").note) == ("deviated", "carrier.parcel_collected.v1 was passed over")
    (line,) = [each for each in caplog.records if each.message == "choreography.deviated"]
    assert (line.levelno, line.key) == (logging.ERROR, "p1")
    world.collected("p1")
    assert world.state("p1") == "completed"
    assert "choreography.resumed" in caplog.messages


def test_events_of_two_courses_are_a_deviation_at_once_even_after_the_end(world: World):
    world.send("p1")
    world.collected("p1")
    world.delivered("p1")
    world.lost("p1")
    assert world.state("p1") == "deviated"
    assert world.row("p1").note.startswith("carrier.parcel_")
    assert "does not go with" in world.row("p1").note


def test_a_journey_that_stalls_is_told_with_what_it_waits_for_and_goes_on_when_that_comes(world: World, caplog):
    before = counted("stalled")
    world.send("p1", "p2")
    world.collected("p1")
    world.lost("p1")
    world.delivered("p2")
    world.collected("p2")
    world.wait(HOUR)
    assert (world.state("p1"), world.row("p1").note) == ("stalled", "insurer.claim_paid.v1 is overdue")
    assert (world.state("p2"), counted("stalled") - before) == ("completed", 1)
    (line,) = [each for each in caplog.records if each.message == "choreography.stalled"]
    assert (line.levelno, line.waiting_for, line.key) == (logging.ERROR, ["insurer.claim_paid.v1"], "p1")
    assert REGISTRY.get_sample_value("choreography_stalled", {"choreography": "parcel_journey"}) == 1
    world.paid("p1")
    assert world.state("p1") == "completed"
    (line,) = [each for each in caplog.records if each.message == "choreography.resumed"]
    assert (line.levelno, line.event, line.was) == (logging.WARNING, "insurer.claim_paid.v1", "stalled")
    world.wait(MINUTE)
    assert REGISTRY.get_sample_value("choreography_stalled", {"choreography": "parcel_journey"}) == 0


@pytest.mark.sqlite(reason="whether a small table's index is used, PostgreSQL decides by its size")
def test_a_look_reads_only_what_is_watched(world: World):
    world.send("p1", "p2")
    world.collected("p1")
    world.delivered("p1")
    plan = store.due(world.clock.now()).order_by("due_at").explain()
    assert "choreography_due" in plan
    assert (world.row("p1").due_at, world.row("p2").due_at) == (None, world.clock.now() + HOUR)


def test_a_stall_is_told_once_however_often_somebody_looks(world: World, caplog):
    world.send("p1")
    for _ in range(3):
        world.wait(HOUR)
    assert caplog.messages.count("choreography.stalled") == 1


def test_nothing_is_told_of_what_is_rolled_back(world: World):
    before = counted("watching")
    with transaction.atomic():
        world.send("p1")
        transaction.set_rollback(True)
    assert counted("watching") == before


def test_what_ended_is_forgotten_after_its_retention_and_trouble_later(world: World):
    world.send("whole", "stuck", "under way")
    world.collected("whole")
    world.delivered("whole")
    world.wait(timedelta(days=7))
    world.collected("under way")
    world.wait(MINUTE)
    assert set(ChoreographyWatch.objects.values_list("key", flat=True)) == {"stuck", "under way"}
    world.wait(timedelta(days=30))
    assert set(ChoreographyWatch.objects.values_list("key", flat=True)) == {"under way"}


def test_events_that_come_to_a_journey_at_once_are_all_kept(world: World):
    start = Barrier(4)

    def hear(event: str) -> None:
        start.wait()
        with closing(connection), transaction.atomic():
            store.follow(world.journey, event, {"p1": "", "p2": ""})

    events = list(world.journey.watched())[:4]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hear, events))
    assert [set(world.row(key).moments) for key in ("p1", "p2")] == [set(events)] * 2


def test_an_event_without_a_key_belongs_to_no_journey(world: World):
    world.hear(world.told("carrier.parcel_delivered.v1", None))
    assert not ChoreographyWatch.objects.exists()
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("key", ["", "p" * 201])
def test_a_key_that_cannot_be_kept_is_told_and_stops_nothing(world: World, caplog, key):
    world.hear(world.told("carrier.parcel_lost.v1", key), world.told("carrier.parcel_lost.v1", "p1"))
    assert list(ChoreographyWatch.objects.values_list("key", flat=True)) == ["p1"]
    assert caplog.messages.count("choreography.key_unusable") == 1


def test_events_of_others_are_consumed_in_a_group_apart_reading_only_the_key(world: World):
    assert "parcel_journey.carrier.parcel_collected.v1" in consumer_names()
    assert "parcel_journey.project.parcel_sent.v1" not in consumer_names()

    for each in registry.consumers():
        if each.name.startswith("parcel_journey."):
            assert each.group_name == "project.choreographies"
            (place,) = reader(each).fields.values()
            assert "choreography/world.py:" in place
            assert set(reader(each).fields) <= {"parcel", "tracked"}


def test_the_loop_is_offered_where_something_is_watched(world: World):
    assert "choreographies" in registered_loops()


def test_no_loop_is_offered_where_nothing_is_watched(declarations):
    assert "choreographies" not in registered_loops()
