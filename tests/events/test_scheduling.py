"""Delayed events come when they are due, once; the moments of a schedule each come to pass exactly once."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cronsim import CronSimError
from django.db import connections, transaction
from tests.events.staging import Stage

from bandstand import clock
from bandstand.events import Event, NoTransaction, every, publish, subscribe_locally, withdraw
from bandstand.events.models import OutboxRow, ScheduledRow, ScheduleRow
from bandstand.events.publishing import NotPublishable
from bandstand.events.scheduling import cron
from bandstand.events.scheduling.cron import Timetable
from bandstand.events.scheduling.loop import ScheduleLoop
from bandstand.testing.clock import held_clock

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


class Reminded(Event, name="project.reminded.v1", subject="who"):
    who: str
    number: int = 0


@pytest.fixture(autouse=True)
def _own_schedules():
    before = cron._schedules.copy()
    yield
    cron._schedules.clear()
    cron._schedules.update(before)


@pytest.fixture(params=["stage", "postgres_stage"])
def place(request) -> Stage:
    """A stage on SQLite, and one on PostgreSQL."""
    return request.getfixturevalue(request.param)


def atomic(place: Stage):
    return transaction.atomic(using=place.config.database)


def outbox(place: Stage):
    return OutboxRow.objects.using(place.config.database).order_by("id")


def turn(loop: ScheduleLoop) -> timedelta:
    return loop._turn(threading.Event())


@pytest.fixture
def loop(place):
    loop = ScheduleLoop()
    yield loop
    loop._waiter.close()


def test_a_delayed_event_is_published_when_it_is_due_in_the_order_of_its_moments(place, loop):
    with held_clock() as time, atomic(place):
        publish(Reminded(who="ada", number=2), at=time.now() + 2 * HOUR)
        wanted = publish(Reminded(who="ada", number=1), after=HOUR)
    with held_clock() as time:
        time.advance(HOUR - timedelta(seconds=1))
        turn(loop)
        assert not outbox(place).exists()
        time.advance(timedelta(seconds=1))
        assert turn(loop) <= place.config.safety_poll
        assert [row.event_id for row in outbox(place)] == [wanted]
        time.advance(2 * HOUR)
        turn(loop)
        assert [f'"number":{n}' in row.envelope for row, n in zip(outbox(place), (1, 2), strict=True)] == [True, True]
        assert f'"time":"{clock.rfc3339(time.now() - HOUR)[:19]}' in outbox(place)[1].envelope, "the moment it was due"


def test_a_delayed_event_of_a_transaction_that_rolled_back_never_existed(place):
    with atomic(place):
        publish(Reminded(who="ada"), after=HOUR)
        transaction.set_rollback(True, using=place.config.database)
    assert not ScheduledRow.objects.using(place.config.database).exists()
    with pytest.raises(NoTransaction):
        publish(Reminded(who="ada"), after=HOUR)


def test_a_delayed_event_can_be_withdrawn_until_it_is_published(place, loop):
    with held_clock() as time:
        with atomic(place):
            first, second = (publish(Reminded(who="ada"), after=HOUR) for _ in range(2))
        assert withdraw(first)
        assert not withdraw(first)
        time.advance(HOUR)
        turn(loop)
        assert [row.event_id for row in outbox(place)] == [second]
        assert not withdraw(second)
        assert not withdraw(uuid4())


def test_a_delayed_event_with_local_subscribers_is_refused(place):
    subscribe_locally(Reminded, lambda event, envelope: None)
    with atomic(place), pytest.raises(NotPublishable, match="local subscribers"):
        publish(Reminded(who="ada"), after=HOUR)


def test_the_loop_is_woken_by_a_delayed_event_and_sleeps_until_it_is_due(place):
    with place.running("schedule"):
        with atomic(place):
            publish(Reminded(who="ada"), after=timedelta(milliseconds=300))
        began = clock.monotonic()
        place.eventually(lambda: outbox(place).exists())
        assert clock.monotonic() - began >= 0.2


def test_each_moment_comes_to_pass_once_and_what_it_publishes_with_it(place):
    @every(cron="0 3 * * *", timezone="UTC")
    def remind(moment: datetime) -> None:
        publish(Reminded(who=moment.isoformat()))

    timetable = Timetable(place.config)
    with held_clock() as time:
        assert timetable.run_due() == datetime(2026, 1, 2, 3, tzinfo=UTC)
        assert not outbox(place).exists(), "a new schedule begins with the next moment"
        for _ in range(3):
            time.advance(24 * HOUR)
            timetable.run_due()
            timetable.run_due()
    subjects = [row.subject for row in outbox(place)]
    assert subjects == [f"2026-01-0{day}T03:00:00+00:00" for day in (2, 3, 4)]


def test_several_processes_at_once_do_it_once(place):
    calls = []
    every(cron="* * * * *", timezone="UTC", name="minutely")(calls.append)
    with held_clock() as time:
        timetables = [Timetable(place.config) for _ in range(4)]
        for each in timetables:
            each.run_due()
        for passed in range(1, 4):
            time.advance(timedelta(minutes=1))
            at_once(lambda each: each.run_due(), timetables)
            assert len(calls) == passed


def at_once(what, things):
    def run(thing):
        try:
            what(thing)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(thing,)) for thing in things]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_missed_moments_are_made_up_for_by_one_call_with_the_latest(place):
    calls = []
    every(cron="0 * * * *", timezone="UTC", name="hourly")(calls.append)
    with held_clock() as time:
        Timetable(place.config).run_due()
        time.advance(timedelta(days=3, minutes=10))
        assert Timetable(place.config).run_due() == datetime(2026, 1, 4, 13, tzinfo=UTC)
    assert calls == [datetime(2026, 1, 4, 12, tzinfo=UTC)]


def test_a_failed_moment_leaves_nothing_and_is_tried_again(place):
    wrong = [True]

    @every(cron="0 3 * * *", timezone="UTC")
    def remind(moment: datetime) -> None:
        publish(Reminded(who="ada"))
        if wrong:
            raise ValueError("not yet")

    timetable = Timetable(place.config)
    with held_clock() as time:
        timetable.run_due()
        time.advance(24 * HOUR)
        again = timetable.run_due()
        assert not outbox(place).exists()
        assert again <= time.now() + place.config.retry_cap
        wrong.clear()
        time.advance(again - time.now())
        timetable.run_due()
    assert outbox(place).count() == 1


def test_a_changed_rule_starts_anew(place):
    calls = []
    every(cron="0 3 * * *", timezone="UTC", name="daily")(calls.append)
    with held_clock() as time:
        timetable = Timetable(place.config)
        timetable.run_due()
        every(cron="0 15 * * *", timezone="UTC", name="daily")(calls.append)
        assert timetable.run_due() == datetime(2026, 1, 1, 15, tzinfo=UTC)
        time.advance(24 * HOUR)
        timetable.run_due()
    assert calls == [datetime(2026, 1, 1, 15, tzinfo=UTC)]
    assert ScheduleRow.objects.using(place.config.database).get().rule == "0 15 * * * UTC"


@pytest.mark.parametrize(
    ("start", "rule", "moments"),
    [
        # Spring forward, 29 March 2026 at 02:00 in Berlin: 02:30 does not exist and runs right after the gap.
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "30 2 * * *", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        # Fall back, 25 October 2026 at 03:00: 02:30 comes twice and runs once.
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "30 2 * * *", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        # What runs every hour runs in both of the repeated hours.
        (datetime(2026, 10, 24, 23, 30, tzinfo=UTC), "0 * * * *", ["2026-10-25T00:00", "2026-10-25T01:00"]),
    ],
)
def test_the_clock_s_changes_skip_nothing_and_repeat_nothing(stage, start, rule, moments):
    calls = []
    every(cron=rule, timezone="Europe/Berlin", name="dst")(calls.append)
    timetable = Timetable(stage.config)
    with held_clock(start) as time:
        following = timetable.run_due()
        for _ in moments:
            time.advance(following - time.now())
            following = timetable.run_due()
    assert [moment.isoformat()[:16] for moment in calls] == moments


@pytest.mark.parametrize(
    ("rule", "zone", "error"), [("61 * * * *", "UTC", CronSimError), ("0 3 * * *", "Mars", Exception)]
)
def test_a_rule_that_means_nothing_is_refused_at_declaration(rule, zone, error):
    with pytest.raises(error):
        every(cron=rule, timezone=zone)
