"""Watching events, publishing one by hand, and what is said about bus, outbox and inbox."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from bandstand import clock
from bandstand.errors import Conflict
from bandstand.events import Event, consumer, publish, subscribe_locally
from bandstand.events.models import EventAction, OutboxRow
from bandstand.events.operations.by_hand import forget_group
from bandstand.events.operations.tailing import watch

AT_ONCE = pytest.mark.parametrize("stage", [{"RETRY_BASE": timedelta(0), "ATTEMPTS": 1}], indirect=True)
LATER = pytest.mark.parametrize("stage", [{"RETRY_BASE": timedelta(hours=1)}], indirect=True)


class Rung(Event, name="project.rung.v1", subject="bell"):
    """A bell was rung."""

    bell: str
    times: int = 1


class Cast(Event, name="project.cast.v1", subject="bell"):
    """A bell was cast."""

    bell: str


@pytest.fixture(autouse=True)
def heard():
    """What a consumer took; it refuses to hear more than nine strokes."""
    found = []

    @consumer(Rung)
    def hear(event, envelope):
        if event.times > 9:
            raise ValueError("too often")
        found.append((event.bell, event.times))

    return found


def ring(*bells, times=1):
    with transaction.atomic():
        for bell in bells:
            publish(Rung(bell=bell, times=times))


def run(*words):
    out = StringIO()
    call_command("events", *words, stdout=out)
    return out.getvalue()


def subjects(*words):
    return [json.loads(line)["subject"] for line in run("tail", "--json", "--since", "1h", *words).splitlines()]


def groups(stage):
    return [report.name for report in stage.bus.groups()]


def test_a_tail_shows_what_passes_and_leaves_no_group_behind(stage):
    ring("a")
    stage.carry()
    with transaction.atomic():
        publish(Cast(bell="b"))
    ring("a", "c")
    stage.relay()
    assert subjects() == ["a", "b", "a", "c"]
    assert subjects("--type", "project.cast.v1") == ["b"]
    assert subjects("--subject", "c") == ["c"]
    assert subjects("--limit", "2") == ["a", "b"]
    assert groups(stage) == ["project"]


def test_a_tail_takes_nothing_from_the_consumers(stage, heard):
    stage.consume()
    ring("a", "b")
    stage.relay()
    assert subjects() == ["a", "b"]
    stage.consume(2)
    assert heard == [("a", 1), ("b", 1)]


def test_a_tail_that_follows_begins_now(stage):
    ring("old")
    stage.relay()

    def ring_once_listened_to():
        stage.eventually(lambda: groups(stage))
        ring("new")
        stage.relay()
        connection.close()

    with closing(watch(["project.rung.v1"])) as passing, ThreadPoolExecutor() as pool:
        ringing = pool.submit(ring_once_listened_to)
        assert next(passing).subject == "new"
        ringing.result()
    assert groups(stage) == []


def test_the_groups_of_killed_tails_are_forgotten_by_the_next(stage):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host, now = socket.gethostname().replace("-", "_"), int(clock.now().timestamp())
    dead, alive = f"tail.{host}-{ended.pid}-{now}", f"tail.{host}-{os.getpid()}-{now - 1}"
    foreign, old = f"tail.elsewhere-1-{now}", f"tail.elsewhere-1-{now - 90_000}"
    for name in (dead, alive, foreign, old):
        stage.bus.register(name, ["project.rung.v1"], from_beginning=False)
    assert subjects() == []
    assert groups(stage) == sorted([alive, foreign])
    assert json.loads(run("lag", "--json")) == []


def test_lines_for_people_are_aligned_and_uncoloured_through_a_pipe(stage):
    ring("a")
    with transaction.atomic():
        publish(Cast(bell="b"))
    stage.relay()
    first, second = run("tail", "--since", "1h").splitlines()
    assert first.index('{"bell"') == second.index('{"bell"')
    assert first.endswith('{"bell":"a","times":1}')
    assert "\x1b" not in first


def test_publishing_by_hand_goes_through_the_outbox_and_is_audited(stage, heard):
    started = []
    subscribe_locally(Rung, lambda event, envelope: started.append(event.bell))
    said = json.loads(
        run("publish", "project.rung.v1", "--payload", '{"times": 3}', "--subject", "a", "--by", "ada", "--json")
    )
    entry = EventAction.objects.get()
    assert (entry.actor, entry.action, str(entry.event_id)) == ("ada", "publish", said["event_id"])
    assert json.loads(entry.after) == {"bell": "a", "times": 3}
    stage.carry()
    assert heard == [("a", 3)]
    assert started == ["a"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["orders.order_placed.v1", "--payload", "{}"], "project does not publish 'orders.order_placed.v1'"),
        (["project.rung.v1", "--payload", "{}"], "bell: it is missing"),
        (["project.rung.v1", "--payload", '{"bell": "a", "tims": 2}'], "tims: there is no such field"),
        (["project.rung.v1", "--payload", "no"], "no JSON object"),
        (["project.rung.v1", "--payload", '{"bell": "a"}', "--subject", "b"], "the subject is the field 'bell'"),
    ],
)
def test_what_cannot_be_published_by_hand_is_refused_with_the_reason(stage, words, said):
    with pytest.raises(CommandError, match=said):
        run("publish", *words)
    assert not OutboxRow.objects.exists()
    assert not EventAction.objects.exists()


def test_a_dry_run_publishes_nothing(stage):
    assert "would be published" in run("publish", "project.rung.v1", "--payload", '{"bell": "a"}', "--dry-run")
    assert not OutboxRow.objects.exists()


@LATER
def test_lag_and_inbox_count_what_waits(stage):
    stage.consume()
    ring("a", times=10)
    ring("a", "b")
    stage.carry()
    stage._loop._subscription.flush()
    ring("c")
    stage.relay()
    (group,) = json.loads(run("lag", "--json"))
    assert (group["group"], group["lag"], group["waiting"], group["dead"]) == ("project", 1, 2, 0)
    assert group["oldest_seconds"] >= 0
    (counted,) = json.loads(run("inbox", "--json"))
    assert (counted["consumer"], counted["applied"], counted["waiting"]) == ("project.hear", 1, 2)
    rows = json.loads(run("inbox", "--rows", "--json"))
    assert [(row["subject"], row["attempts"]) for row in rows] == [("a", 1), ("a", 0)]
    assert "project.hear" in run("inbox")


def test_the_outbox_is_counted_by_type_and_listed_by_state(stage):
    ring("a", "b")
    with transaction.atomic():
        publish(Cast(bell="c"))
    OutboxRow.objects.filter(subject="b").update(dead_at=clock.now(), attempts=8, reason="too long")
    counts = {each["type"]: (each["pending"], each["dead"]) for each in json.loads(run("outbox", "--json"))}
    assert counts == {"project.cast.v1": (1, 0), "project.rung.v1": (1, 1)}
    assert "`events revive` tries them again" in run("outbox")
    (dead,) = json.loads(run("outbox", "--state", "dead", "--json"))
    assert (dead["subject"], dead["reason"]) == ("b", "too long")
    assert run("revive") == "1 revived\n"
    assert json.loads(run("revive", "--json")) == {"revived": 0}
    stage.relay()
    assert "the outbox is empty" in run("outbox")
    assert [row["subject"] for row in json.loads(run("outbox", "--state", "delivered", "--json"))] == ["c", "b", "a"]


def test_a_retired_group_is_forgotten_and_one_in_use_is_not(stage):
    stage.consume()
    with pytest.raises(Conflict, match="a process reads for project"):
        forget_group("project")
    stage.restart()
    with pytest.raises(CommandError, match="no group 'nobody'; there are: project"):
        run("forget", "nobody")
    assert json.loads(run("forget", "project", "--note", "moved", "--json")) == {"forgotten": "project"}
    assert groups(stage) == []
    entry = EventAction.objects.get()
    assert (entry.action, entry.consumer, entry.note) == ("forget", "project", "moved")


def test_machines_are_told_what_a_pause_changed(stage):
    assert json.loads(run("pause", "hear", "--json")) == {"consumer": "hear", "paused": True, "changed": True}
    assert json.loads(run("pause", "hear", "--json"))["changed"] is False
    assert json.loads(run("resume", "hear", "--json")) == {"consumer": "hear", "paused": False, "changed": True}
