"""What would hold up events for good if it were not foreseen: texts that a database refuses, moments without a zone."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, transaction
from tests.events.brokers import Broker
from tests.events.staging import on_both

from bandstand.events import Event, consumer, every, publish, registry
from bandstand.events.backends import Delivery, Message
from bandstand.events.envelope import Envelope, UnreadableEnvelope
from bandstand.events.inbox import Inbox
from bandstand.events.models import DeadLetter, OutboxRow
from bandstand.events.partitions import slot_of
from bandstand.events.publishing import NotPublishable
from bandstand.events.relay import Relay
from bandstand.events.relay.crew import Crew
from bandstand.events.scheduling import cron
from bandstand.events.scheduling.cron import Schedule
from bandstand.events.scheduling.loop import ScheduleLoop

LONE = "caf\udce9 \x00"
"""As a file name in another encoding, and what PostgreSQL has no character for."""


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


class _Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def announce(stage, *things, **when):
    with transaction.atomic(using=stage.config.database):
        for thing in things:
            publish(ThingMade(thing=thing), **when)


@on_both(ATTEMPTS=1)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("error", "reason"), [(FileNotFoundError(LONE), r"FileNotFoundError: caf\udce9 \x00"), (_Mute(), "_Mute")]
)
def test_a_reason_that_no_database_can_keep_holds_up_nobody_else(theatre, error, reason):
    seen = []

    @consumer(ThingMade)
    def read(event, envelope):
        if event.thing == "bad":
            raise error
        seen.append(event.thing)

    announce(theatre, "bad", "good")
    theatre.carry()
    assert seen[-1] == "good"
    assert DeadLetter.objects.using(theatre.config.database).get().reason.startswith(reason)


@on_both()
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("flaw", "kept"),
    [
        ({"subject": "nul\x00"}, {"subject": r"nul\x00"}),
        ({"subject": "caf\udce9"}, {"subject": r"caf\udce9"}),
        ({"subject": "x" * 201}, {"subject": "x" * 200}),
        ({"type": "project.thing_made.v1\x00"}, {"type": r"project.thing_made.v1\x00"}),
        ({"type": "x" * 201}, {"type": "x" * 200}),
        ({"event_id": LONE}, {}),
        ({"body": LONE}, {"envelope": LONE.encode(errors="backslashreplace").decode().replace("\x00", r"\x00")}),
    ],
)
def test_what_a_foreign_publisher_sends_and_no_database_keeps_is_a_dead_letter(theatre, flaw, kept):
    seen = []

    @consumer(ThingMade)
    def read(event, envelope):
        seen.append(event.thing)

    announce(theatre, "good", "also good")
    row = OutboxRow.objects.using(theatre.config.database).earliest("id")
    sound = {"event_id": str(uuid4()), "type": row.type, "subject": row.subject, "body": row.envelope}
    message = Message(**sound | flaw)
    assert slot_of(message.subject) >= 0
    inbox = Inbox(registry.consumers(), theatre.config, group="project")
    assert inbox.apply([Delivery(position=1, message=message)])
    letter = DeadLetter.objects.using(theatre.config.database).get()
    assert {name: getattr(letter, name) for name in kept} == kept
    assert "cannot be kept: its" in letter.reason
    theatre.carry()
    assert seen == ["good", "also good"]


@on_both()
@pytest.mark.django_db(transaction=True)
def test_a_refusal_that_no_database_can_keep_holds_up_nobody_else(theatre):
    announce(theatre, "a", "b")
    broker = Broker(refuses={"a"}, words=LONE)
    Relay(broker, theatre.config).run_once()
    assert broker.subjects == ["b"]
    assert OutboxRow.objects.using(theatre.config.database).get().reason == r"caf\udce9 \x00"


@pytest.mark.parametrize("subject", ["x" * 201, "nul\x00"])
def test_a_subject_that_a_consumers_database_would_refuse_is_not_published(stage, subject):
    with pytest.raises(NotPublishable, match="at most 200"):
        announce(stage, subject)


def test_a_moment_is_one_and_names_its_zone(stage):
    naive = datetime(2026, 5, 4)  # noqa: DTZ001 - that is the point
    for when in ({"at": naive}, {"at": datetime(2026, 5, 4, tzinfo=UTC), "after": timedelta(1)}):
        with pytest.raises(NotPublishable, match=r"time zone|either"):
            announce(stage, "a", **when)


def test_an_envelope_whose_time_names_no_zone_cannot_be_read():
    time = '"time":"2026-05-04T10:00:00{}"'
    body = '{{"specversion":"1.0","id":"%s","source":"s","type":"s.t.v1","subject":"x",{},"data":{{}}}}' % ("0" * 32)
    assert Envelope.decoded(body.format(time.format("Z"))).subject == "x"
    with pytest.raises(UnreadableEnvelope):
        Envelope.decoded(body.format(time.format("")))


def test_the_latest_moment_is_never_to_come_also_while_clocks_are_put_back():
    daily = Schedule(name="d", cron="0 3 * * *", zone=ZoneInfo("Europe/Berlin"), function=lambda _: None)
    last_second_of_summer = datetime(2026, 10, 25, 0, 59, 59, 500_000, tzinfo=UTC)
    assert daily.latest(last_second_of_summer) == datetime(2026, 10, 24, 1, tzinfo=UTC)


def test_a_second_schedule_of_one_name_is_refused(monkeypatch):
    monkeypatch.setattr(cron, "_schedules", {})

    @every(cron="0 3 * * *", timezone="UTC", name="nightly")
    def close_books(moment): ...

    with pytest.raises(ValueError, match="'nightly'"):

        @every(cron="0 4 * * *", timezone="UTC", name="nightly")
        def send_reports(moment): ...


@pytest.mark.parametrize("stage", [{"RELAY_PARTITIONS": 2}], indirect=True)
def test_loops_end_without_an_error_while_the_database_is_away(stage, monkeypatch):
    crew, loop, stop = Crew(Broker(), stage.config), ScheduleLoop(), threading.Event()
    crew.run_once()
    assert loop._leadership.hold()
    stop.set()

    def away(*_, **__):
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr("bandstand.events._sql.Sql.change", away)
    crew.stop()
    loop.run(stop)
