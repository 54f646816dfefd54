"""What a person does with dead letters by command: choosing, trying out, editing, and the trail that it leaves."""

import io
import json
import os
import pwd
import sys
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from bandstand import clock
from bandstand.errors import Conflict, ValidationFailed
from bandstand.events import Envelope, Event, actions, consumer, dead_letters, publish, relay
from bandstand.events.dead_letters import Filter
from bandstand.events.models import DeadLetter, EventAction, OutboxRow, WaitingRow
from bandstand.testing.clock import held_clock

AT_ONCE = pytest.mark.parametrize("stage", [{"RETRY_BASE": timedelta(0), "ATTEMPTS": 1}], indirect=True)
ME = pwd.getpwuid(os.getuid()).pw_name


class Counted(Event, name="project.counted.v1", subject="thing"):
    """A thing was counted."""

    thing: str
    number: int = 0
    label: str = ""


class Listed(Event, name="project.listed.v1", subject="thing"):
    """Another event."""

    thing: str


@pytest.fixture
def applied():
    """Consumers that apply what is even and refuse the rest."""
    found = []

    @consumer(Counted)
    def count(event, envelope):
        if event.number % 2:
            raise ValueError(f"{event.number} is ODD")
        found.append((event.number, event.label))

    @consumer(Listed)
    def enlist(event, envelope):
        raise LookupError("no list")

    return found


@pytest.fixture
def letters(stage, applied):
    """Three dead letters: two of `count`, one of `enlist`."""
    with transaction.atomic():
        for event in (Counted(thing="a", number=1), Listed(thing="a"), Counted(thing="b", number=3)):
            publish(event)
    stage.relay()
    stage.consume(3)
    return {(each.consumer.partition(".")[2], each.subject): each for each in dead_letters.listed()}


def run(*words, stdin=None, monkeypatch=None):
    out = StringIO()
    if stdin is not None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    call_command("deadletters", *map(str, words), stdout=out)
    return out.getvalue()


def chosen(*words):
    return sorted((each["consumer"].partition(".")[2], each["subject"]) for each in json.loads(run("list", *words)))


@AT_ONCE
def test_each_filter_chooses(stage, letters):
    assert chosen("--json") == [("count", "a"), ("count", "b"), ("enlist", "a")]
    assert chosen("--json", "--consumer", "project.enlist") == [("enlist", "a")]
    assert chosen("--json", "--type", "project.counted.v1", "--subject", "b") == [("count", "b")]
    assert chosen("--json", "--reason", "is odd") == [("count", "a"), ("count", "b")]
    assert chosen("--json", "--since", "1h") == chosen("--json")
    assert chosen("--json", "--before", "1h") == []
    assert chosen("--json", letters["enlist", "a"].id) == [("enlist", "a")]
    run("discard", letters["enlist", "a"].id)
    assert chosen("--json", "--state", "discarded") == [("enlist", "a")]
    assert len(chosen("--json", "--state", "any")) == 3
    assert run("list", "--subject", "z") == "no dead letters\n"


@AT_ONCE
@pytest.mark.parametrize("action", ["replay", "discard"])
def test_a_dry_run_says_what_would_be_done_and_does_nothing(stage, letters, action):
    said = run(action, "--consumer", "project.count", "--dry-run")
    assert f"2 would be {action}ed; nothing was changed" in said
    assert str(letters["count", "a"].id) in said
    assert dead_letters.count() == 3
    assert not EventAction.objects.exists()
    with pytest.raises(CommandError, match="there is no dead letter"):
        run(action, uuid4(), "--dry-run")


@AT_ONCE
def test_without_a_choice_nothing_is_closed(stage, letters):
    for words in (("replay",), ("discard", "--note", "x"), ("replay", letters["count", "a"].id, "--all")):
        with pytest.raises(CommandError, match="choose them by a filter"):
            run(*words)
    assert dead_letters.count() == 3


@AT_ONCE
def test_what_is_closed_by_a_filter_leaves_the_others_open(stage, letters):
    assert run("discard", "--reason", "odd", "--note", "known", "--by", "ada") == "2 discarded\n"
    assert chosen("--json") == [("enlist", "a")]
    trail = EventAction.objects.order_by("id").values_list("actor", "action", "consumer", "dead_letter", "note")
    assert sorted(trail, key=str) == sorted(
        [("ada", "discard", "project.count", letters["count", each].id, "known") for each in "ab"], key=str
    )


@AT_ONCE
def test_a_closed_one_is_refused_by_name_and_the_rest_of_the_command_with_it(stage, letters):
    first, second = letters["count", "a"].id, letters["count", "b"].id
    run("discard", first)
    with pytest.raises(CommandError, match="discarded already"):
        run("replay", second, first)
    assert dead_letters.show(second).state == "dead"
    assert EventAction.objects.count() == 1


@AT_ONCE
def test_show_tells_what_was_done_with_it(stage, letters):
    letter = letters["count", "a"].id
    run("edit", letter, "--set", "number=5", "--note", "wrong still")
    found = json.loads(run("show", letter, "--json"))
    assert [(each["actor"], each["action"], each["note"]) for each in found["actions"]] == [(ME, "edit", "wrong still")]
    assert found["envelope"]["data"]["number"] == 5
    assert "ValueError: 1 is ODD" in found["traceback"]
    assert "wrong still" in run("show", letter)


@AT_ONCE
def test_an_edit_names_every_field_that_does_not_fit(stage, letters):
    letter = letters["count", "a"].id
    with pytest.raises(ValidationFailed) as refused:
        dead_letters.edit(letter, b'{"number": "two", "label": 3}')
    assert refused.value.details["field_errors"]["data"] == [
        "thing: it is missing",
        "number: Expected `int`, got `str`",
        "label: Expected `str`, got `int`",
    ]
    with pytest.raises(CommandError, match="no JSON object"):
        run("edit", letter, "--payload", "[]")
    assert not EventAction.objects.exists()


@AT_ONCE
def test_single_fields_are_set_as_the_consumer_reads_them(stage, letters, applied):
    letter = letters["count", "a"].id
    said = run("edit", letter, "--set", "number=2", "--set", "label=17")
    assert '-  "number": 1,' in said
    assert '+  "number": 2,' in said
    entry = EventAction.objects.get()
    assert json.loads(entry.before) == {"thing": "a", "number": 1, "label": ""}
    assert json.loads(entry.after) == {"thing": "a", "number": 2, "label": "17"}
    run("replay", letter)
    stage._loop._retries.expect()
    stage.consume(2)
    assert applied == [(2, "17")]


@AT_ONCE
def test_data_is_read_from_standard_input_and_a_dry_run_only_shows_the_difference(stage, letters, monkeypatch):
    letter, data = letters["count", "a"].id, '{"thing": "a", "number": 4}'
    assert '+  "number": 4' in run("edit", letter, "--payload", "-", "--dry-run", stdin=data, monkeypatch=monkeypatch)
    assert dead_letters.show(letter).envelope == letters["count", "a"].envelope
    run("edit", letter, "--payload", "-", stdin=data, monkeypatch=monkeypatch)
    assert Envelope.decoded(dead_letters.show(letter).envelope).data == b'{"thing":"a","number":4}'


@AT_ONCE
def test_without_data_and_without_a_terminal_the_command_says_what_it_needs(stage, letters, monkeypatch):
    with pytest.raises(CommandError, match="say --payload or --set"):
        run("edit", letters["count", "a"].id, stdin="", monkeypatch=monkeypatch)


@AT_ONCE
@pytest.mark.parametrize("assignment", ["number", "=3", "items.0.quantity=1"])
def test_what_cannot_be_set_is_named(stage, letters, assignment):
    with pytest.raises(CommandError, match=assignment.partition("=")[0] or "=3"):
        run("edit", letters["count", "a"].id, "--set", assignment)


@AT_ONCE
def test_a_deed_that_is_rolled_back_leaves_no_trail(stage, letters):
    with transaction.atomic():
        dead_letters.replay([letters["count", "a"].id])
        transaction.set_rollback(True)
    assert dead_letters.count() == 3
    assert not EventAction.objects.exists()
    assert not WaitingRow.objects.exists()


def test_many_are_replayed_in_transactions_of_bounded_size(stage, applied):
    moment = clock.now()
    rows = [
        DeadLetter(
            id=clock.uuid7(), consumer="project.count", event_id=uuid4(), type="t", subject=f"{number}",
            envelope="{}", attempts=8, reason="", first_failed_at=moment, died_at=moment,
        )
        for number in range(1_200)
    ]  # fmt: skip
    DeadLetter.objects.bulk_create(rows)
    sums = []
    assert dead_letters.replay_all(Filter(consumer="project.count"), progress=sums.append) == 1_200
    assert sums == [500, 1_000, 1_200]
    assert WaitingRow.objects.count() == EventAction.objects.count() == 1_200


def test_what_dies_again_during_a_bulk_replay_is_not_taken_twice(stage, applied):
    with held_clock() as held:
        row = {"consumer": "project.count", "type": "t", "subject": "s", "envelope": "{}", "attempts": 1, "reason": ""}
        DeadLetter.objects.create(event_id=uuid4(), first_failed_at=clock.now(), died_at=clock.now(), **row)

        def dies_again(_):
            held.advance(timedelta(seconds=1))
            WaitingRow.objects.all().delete()
            DeadLetter.objects.update(state="dead", died_at=clock.now())

        assert dead_letters.replay_all(Filter(), progress=dies_again) == 1


def test_reviving_what_the_bus_refused_is_audited(stage):
    with transaction.atomic():
        event_id = publish(Counted(thing="a"))
    OutboxRow.objects.update(dead_at=clock.now(), attempts=8)
    assert relay.revive(by="ada", note="bus is fixed") == 1
    entry = EventAction.objects.get()
    assert (entry.actor, entry.action, entry.event_id, entry.type) == ("ada", "revive", event_id, Counted.event_name)


@AT_ONCE
def test_the_trail_is_seen_through_its_view(stage, letters):
    letter = letters["enlist", "a"]
    run("discard", letter.id, "--by", "ada", "--note", "never mind")
    with connection.cursor() as cursor:
        cursor.execute("SELECT actor, action, consumer, type, dead_letter, event_id, note FROM audit_event_actions")
        expected = ("ada", "discard", "project.enlist", "project.listed.v1", str(letter.id), str(letter.event_id))
        assert cursor.fetchall() == [(*expected, "never mind")]
    assert [each.note for each in actions.of_dead_letter(letter.id)] == ["never mind"]


@AT_ONCE
def test_closed_letters_cannot_be_edited(stage, letters):
    run("discard", letters["count", "a"].id)
    with pytest.raises(Conflict):
        dead_letters.edit(letters["count", "a"].id, b'{"thing": "a"}')
