"""Pausing a consumer or a group: nothing of it runs, nothing is lost, and afterwards all comes in order, once."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from tests.events.staging import on_both

from bandstand.errors import Conflict, NotFound
from bandstand.events import Event, consumer, pausing, publish, replaying
from bandstand.events.models import EventAction, InboxRow, Pause, WaitingRow


class Made(Event, name="project.made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    number: int


def announce(stage, *numbers, thing="a"):
    with transaction.atomic(using=stage.config.database):
        for number in numbers:
            publish(Made(thing=thing, number=number))


def consuming(name, into, refusing=()):
    def handle(event, envelope):
        if event.number in refusing:
            raise ValueError(event.number)
        into.append(event.number)

    handle.__qualname__ = handle.__name__ = name
    consumer(Made, name=name)(handle)


def waiting(stage):
    rows = WaitingRow.objects.using(stage.config.database).order_by("id")
    return list(rows.values_list("consumer", "attempts"))


def run(*words):
    out = StringIO()
    call_command("events", *words, stdout=out)
    return out.getvalue()


@on_both()
def test_what_comes_for_a_paused_consumer_waits_and_the_others_go_on(theatre):
    halted, other = [], []
    consuming("halted", halted)
    consuming("other", other)
    pausing.pause("halted")
    announce(theatre, 1, 2, 3)
    theatre.carry()
    assert (halted, other) == ([], [1, 2, 3])
    assert waiting(theatre) == [("project.halted", 0)] * 3, "no attempt is counted"
    pausing.resume("halted")
    announce(theatre, 4)
    theatre.carry()
    theatre.eventually(lambda: theatre.consume() or not waiting(theatre))
    assert (halted, other) == ([1, 2, 3, 4], [1, 2, 3, 4])


def test_what_already_waits_for_a_retry_stands_still_too(stage):
    halted = []
    consuming("halted", halted, refusing=[1])
    announce(stage, 1, 2)
    stage.carry()
    pausing.pause("halted")
    before = waiting(stage)
    WaitingRow.objects.update(next_at="2020-01-01T00:00Z")
    stage.consume(3)
    assert waiting(stage) == before
    assert halted == []


def test_a_retry_under_way_finds_the_pause_before_the_next_event(stage):
    halted = []

    @consumer(Made)
    def halt_itself(event, envelope):
        halted.append(event.number)
        if event.number == 2:  # in the transaction of the batch, as a pause from elsewhere comes between two
            Pause.objects.create(name="project.halt_itself", paused_at=envelope.time)

    pausing.pause("halt_itself")
    announce(stage, 1, 2, 3)
    stage.carry()
    pausing.resume("halt_itself")
    stage.restart()
    stage.consume(3)
    assert halted == [1, 2]
    assert waiting(stage) == [("project.halt_itself", 0)]


@on_both()
def test_a_paused_group_leaves_its_events_on_the_bus(theatre):
    seen = []
    consuming("note", seen)
    announce(theatre, 1)
    theatre.carry()
    pausing.pause("project")
    announce(theatre, 2, 3)
    theatre.carry()
    theatre.consume(2)
    assert (seen, waiting(theatre)) == ([1], [])
    (group,) = theatre.bus.groups()
    assert group.lag >= 2
    pausing.resume("project")
    theatre.consume(3)
    assert seen == [1, 2, 3]


def test_a_pause_outlives_the_process(stage):
    seen = []
    consuming("note", seen)
    pausing.pause("note")
    announce(stage, 1)
    stage.relay()
    stage.consume()
    stage.restart()
    stage.consume(3)
    assert (seen, InboxRow.objects.filter(applied_at=None).count()) == ([], 1)
    pausing.resume("note")
    stage.eventually(lambda: stage.consume() or seen)
    assert seen == [1]


@on_both()
def test_when_pause_returns_nothing_is_under_way(theatre):
    begun, release, done = threading.Event(), threading.Event(), []

    @consumer(Made)
    def take_long(event, envelope):
        begun.set()
        assert release.wait(20)
        done.append(event.number)

    def in_a_thread(work):
        try:
            return work()
        finally:
            connections.close_all()

    announce(theatre, 1)
    theatre.relay()
    with ThreadPoolExecutor() as pool:
        consuming_ = pool.submit(in_a_thread, theatre.consume)
        assert begun.wait(20)
        pausing_ = pool.submit(in_a_thread, lambda: pausing.pause("take_long") and list(done))
        assert not pausing_.done()
        release.set()
        assert pausing_.result(30) == [1]
        consuming_.result(30)


def test_a_pause_and_a_replay_exclude_each_other(stage):
    consuming("note", [])
    pausing.pause("project")
    with pytest.raises(Conflict, match="project is paused; resume it first"):
        replaying.begin(["note"])
    pausing.resume("project")
    replaying.begin(["note"])
    with pytest.raises(Conflict, match="a replay is under way"):
        pausing.pause("project")
    replaying.abort()


def test_a_replay_for_a_paused_consumer_waits_for_it(stage):
    seen = []
    announce(stage, 1, 2)
    stage.relay()
    consuming("note", seen)
    pausing.pause("note")
    replaying.begin(["note"])
    replaying.run()
    assert (seen, waiting(stage)) == ([], [("project.note", 0)] * 2)
    pausing.resume("note")
    stage.eventually(lambda: stage.consume() or len(seen) == 2)
    assert seen == [1, 2]


@pytest.mark.parametrize("stage", [{"RETRY_BASE": timedelta(hours=1)}], indirect=True)
def test_pausing_is_audited_once_and_shown(stage):
    consuming("note", [])
    stage.consume()
    assert run("pause", "note", "--by", "ada", "--note", "the mail host moves") == "note is paused\n"
    assert run("pause", "project.note") == "project.note was paused already\n"
    (counted,) = json.loads(run("inbox", "--json"))
    assert counted["paused"]
    assert run("inbox").splitlines()[1].split()[-2:] == ["yes", "-"]
    assert [each["paused"] for each in json.loads(run("lag", "--json"))] == [False]
    assert run("resume", "note") == "note goes on\n"
    assert run("resume", "note") == "note was not paused\n"
    assert run("pause", "project") == "project is paused\n"
    assert [each["paused"] for each in json.loads(run("lag", "--json"))] == [True]
    trail = EventAction.objects.order_by("id").values_list("action", "consumer", "actor", "note")
    assert list(trail[:1]) == [("pause", "project.note", "ada", "the mail host moves")]
    assert [row[:2] for row in trail[1:]] == [("resume", "project.note"), ("pause", "project")]


def test_a_name_that_is_none_is_refused_with_those_there_are(stage):
    consuming("note", [])
    with pytest.raises(CommandError, match=r"no consumer or group 'nott'; there are: project, project\.note"):
        run("pause", "nott")
    with pytest.raises(NotFound):
        pausing.resume("nott")
    assert not EventAction.objects.exists()
