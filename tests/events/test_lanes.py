"""Lanes: subjects side by side, each in order, and the bus told only how far everything is done."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connections, transaction
from tests.events.postgres import ALIAS

from bandstand import clock
from bandstand.events import Event, consumer, groups, pausing, publish, registry
from bandstand.events.consuming import ConsumerLoop
from bandstand.events.models import EventAction, InboxRow, WaitingRow
from bandstand.events.partitions import slot_of

PATIENCE = 30
FAST = {"RETRY_BASE": timedelta(milliseconds=1), "SAFETY_POLL": timedelta(milliseconds=50)}


def in_lanes(count, **settings):
    chosen = {"CONSUMER_CONCURRENCY": count, **FAST, **settings}
    return pytest.mark.parametrize("postgres_stage", [chosen], ids=[f"{count} lanes"], indirect=True)


@pytest.fixture(autouse=True)
def _no_consumers(_own_registry):
    registry._consumers.clear()


class Made(Event, name="project.made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    number: int


def subject_of(lane, of=2):
    return next(f"thing-{number}" for number in range(1000) if slot_of(f"thing-{number}") % of == lane)


LEFT, RIGHT = subject_of(0), subject_of(1)


def announce(*facts):
    with transaction.atomic(using=ALIAS):
        for thing, number in facts:
            publish(Made(thing=thing, number=number))


def leave_effect(event):
    """A row that a transaction that does not commit takes away."""
    EventAction.objects.using(ALIAS).create(
        at=clock.now(), actor="x", action="publish", note=f"{event.thing}/{event.number}"
    )


def effects():
    return Counter(EventAction.objects.using(ALIAS).values_list("note", flat=True))


def applied():
    return InboxRow.objects.using(ALIAS).filter(applied_at__isnull=False).count()


@in_lanes(2)
def test_two_subjects_are_applied_at_the_same_time(postgres_stage):
    both = threading.Barrier(2, timeout=PATIENCE)

    @consumer(Made)
    def meet(event, envelope):
        both.wait()  # alone it would break
        leave_effect(event)

    announce((LEFT, 1), (RIGHT, 1))
    with postgres_stage.running():
        postgres_stage.eventually(lambda: applied() == 2, seconds=PATIENCE)
    assert effects() == {f"{LEFT}/1": 1, f"{RIGHT}/1": 1}


@in_lanes(4, CONSUMER_BATCH=3)
def test_order_within_a_subject_holds_in_lanes_also_for_what_fails_at_first(postgres_stage):
    seen, threads, failed = [], set(), set()

    @consumer(Made)
    def record(event, envelope):
        threads.add(threading.current_thread().name)
        if event.number % 7 == 3 and (event.thing, event.number) not in failed:
            failed.add((event.thing, event.number))
            raise ValueError("not yet")
        leave_effect(event)
        seen.append((event.thing, event.number))

    things = [f"thing-{number}" for number in range(12)]
    for start in range(0, 20, 5):
        announce(*[(thing, number) for number in range(start, start + 5) for thing in things])
    with postgres_stage.running():
        postgres_stage.eventually(lambda: applied() == 240, seconds=PATIENCE)
        postgres_stage.eventually(lambda: not WaitingRow.objects.using(ALIAS).exists(), seconds=PATIENCE)
    rows = EventAction.objects.using(ALIAS).order_by("id").values_list("note", flat=True)
    for thing in things:
        assert [note for note in rows if note.startswith(f"{thing}/")] == [f"{thing}/{n}" for n in range(20)]
    assert len({name for name in threads if name.startswith("bandstand-lane-")}) == 4
    assert {report.lag for report in postgres_stage.bus.groups()} == {0}


@in_lanes(2)
def test_the_bus_is_told_only_what_is_done_without_a_gap_and_a_death_in_between_repeats_nothing(postgres_stage):
    release, is_dying = threading.Event(), True

    @consumer(Made)
    def hold_the_left(event, envelope):
        leave_effect(event)
        if event.thing == LEFT and is_dying:
            assert release.wait(PATIENCE)
            raise SystemExit("killed before it could commit")

    announce((LEFT, 1), (RIGHT, 1), (RIGHT, 2))
    postgres_stage.relay()
    postgres_stage.consume()
    postgres_stage.eventually(lambda: applied() == 2, seconds=PATIENCE)
    postgres_stage.consume()
    subscription = postgres_stage._loop._subscription
    assert not subscription.unflushed, "the first one is not done, so neither is anything behind it"
    release.set()
    postgres_stage.restart()
    (group,) = postgres_stage.bus.groups()
    assert (group.lag, effects()) == (3, {f"{RIGHT}/1": 1, f"{RIGHT}/2": 1})
    is_dying = False
    postgres_stage.eventually(lambda: postgres_stage.consume() or applied() == 3, seconds=PATIENCE)
    assert effects() == {f"{LEFT}/1": 1, f"{RIGHT}/1": 1, f"{RIGHT}/2": 1}


def terminate(backend):
    """End a connection as a server does that is shut down; from a thread, which has another one."""

    def run():
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
        connections.close_all()

    ending = threading.Thread(target=run)
    ending.start()
    ending.join(PATIENCE)


@in_lanes(2)
def test_a_lane_that_cannot_commit_has_the_loop_begin_anew(postgres_stage, caplog):
    deaths = []

    @consumer(Made)
    def lose_the_connection_once(event, envelope):
        leave_effect(event)
        if event.thing == LEFT and not deaths:
            deaths.append(event.number)
            with connections[ALIAS].cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                terminate(*cursor.fetchone())

    announce((LEFT, 1), (RIGHT, 1))
    with postgres_stage.running():
        postgres_stage.eventually(lambda: applied() == 2, seconds=PATIENCE)
    assert (deaths, effects()) == ([1], {f"{LEFT}/1": 1, f"{RIGHT}/1": 1})
    assert "consumers.interrupted" in caplog.messages


@in_lanes(2, CONSUMER_BATCH=1)
def test_a_slow_subject_lets_the_other_lane_go_on_and_memory_is_bounded(postgres_stage):
    release, seen = threading.Event(), []

    @consumer(Made)
    def linger(event, envelope):
        if event.thing == LEFT:
            assert release.wait(PATIENCE)
        seen.append((event.thing, event.number))

    announce((LEFT, 0), *[(RIGHT, number) for number in range(20)])
    postgres_stage.relay()
    postgres_stage.eventually(lambda: postgres_stage.consume() or len(seen) == 7, seconds=PATIENCE)
    postgres_stage.consume(5)
    assert postgres_stage._loop._lanes.room == 0
    assert postgres_stage._loop._lanes.busy_seconds() > 0
    assert seen == [(RIGHT, number) for number in range(7)], "four batches for each of two lanes"
    release.set()
    postgres_stage.eventually(lambda: postgres_stage.consume() or len(seen) == 21, seconds=PATIENCE)
    assert [number for thing, number in seen if thing == RIGHT] == list(range(20))


@in_lanes(2)
def test_a_lane_that_hangs_is_a_stalled_loop(postgres_stage, monkeypatch):
    release = threading.Event()

    @consumer(Made)
    def hang(event, envelope):
        assert release.wait(PATIENCE)

    announce((LEFT, 1))
    postgres_stage.relay()
    postgres_stage.consume()
    monkeypatch.setattr(ConsumerLoop, "stall_after", timedelta(milliseconds=1))
    postgres_stage.eventually(lambda: postgres_stage._loop.is_stalled)
    release.set()
    postgres_stage.eventually(lambda: postgres_stage.consume() or applied() == 1, seconds=PATIENCE)
    assert not postgres_stage._loop.is_stalled


@in_lanes(2)
def test_a_paused_group_rests_in_all_lanes(postgres_stage):
    seen = []

    @consumer(Made)
    def note(event, envelope):
        seen.append(event.number)

    with postgres_stage.running():
        announce((LEFT, 1), (RIGHT, 1))
        postgres_stage.eventually(lambda: applied() == 2, seconds=PATIENCE)
        pausing.pause("project")
        announce((LEFT, 2), (RIGHT, 2))
        postgres_stage.eventually(lambda: postgres_stage.bus.groups()[0].lag >= 2)
        assert sorted(seen) == [1, 1]
        pausing.resume("project")
        postgres_stage.eventually(lambda: applied() == 4, seconds=PATIENCE)
    assert sorted(seen) == [1, 1, 2, 2]


@in_lanes(2)
def test_a_group_has_as_many_lanes_as_its_consumers_say_or_the_setting(postgres_stage):
    def nothing(event, envelope): ...

    consumer(Made, name="one")(nothing)
    consumer(Made, name="two", group="mails", concurrency=5)(nothing)
    consumer(Made, name="three", group="mails")(nothing)
    lanes = {each.name: each.lanes(postgres_stage.config) for each in groups.groups()}
    assert lanes == {"project": 2, "project.mails": 5}
