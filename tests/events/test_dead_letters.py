"""Retries, waiting behind, dead letters and what a person does with them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from bandstand.errors import Conflict, NotFound, ValidationFailed
from bandstand.events import Event, consumer, dead_letters, publish
from bandstand.events.backends import Message
from bandstand.events.models import DeadLetter, InboxRow, WaitingRow

AT_ONCE = {"RETRY_BASE": timedelta(0), "ATTEMPTS": 3}
LATER = {"RETRY_BASE": timedelta(hours=1)}


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str
    number: int = 0


class Fragile:
    """A consumer that fails for chosen numbers until it is mended."""

    def __init__(self):
        self.broken = set()
        self.calls = 0

        @consumer(ThingMade, name="fragile")
        def fragile(event, envelope):
            self.calls += 1
            Group.objects.create(name=f"{event.thing}{event.number}")
            if event.number in self.broken:
                raise ValueError(f"cannot take {event.number}")

    @property
    def applied(self):
        return list(Group.objects.order_by("id").values_list("name", flat=True))


@pytest.fixture
def fragile():
    return Fragile()


def announce(*pairs):
    with transaction.atomic():
        for thing, number in pairs:
            publish(ThingMade(thing=thing, number=number))


@pytest.mark.parametrize("stage", [LATER], indirect=True)
def test_later_events_of_the_subject_wait_and_those_of_others_go_on(stage, fragile):
    fragile.broken = {1}
    announce(("a", 1), ("a", 2), ("b", 3))
    stage.carry()
    announce(("a", 4), ("b", 5))
    stage.carry()
    assert fragile.applied == ["b3", "b5"]
    waiting = WaitingRow.objects.order_by("id").values_list("subject", "attempts")
    assert list(waiting) == [("a", 1), ("a", 0), ("a", 0)]


@pytest.mark.parametrize("stage", [{"RETRY_BASE": timedelta(milliseconds=1), "ATTEMPTS": 100}], indirect=True)
def test_after_the_retry_succeeds_the_waiting_ones_follow_in_order(stage, fragile):
    fragile.broken = {1}
    announce(("a", 1), ("a", 2))
    stage.carry()
    fragile.broken = set()
    announce(("a", 3))
    stage.relay()
    stage.eventually(lambda: stage.consume() or len(fragile.applied) == 3)
    assert fragile.applied == ["a1", "a2", "a3"]
    assert not WaitingRow.objects.exists()


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_after_the_last_attempt_it_is_a_dead_letter_and_the_others_go_on(stage, fragile, caplog):
    fragile.broken = {1}
    announce(("a", 1), ("a", 2))
    stage.relay()
    stage.consume(5)
    assert fragile.applied == ["a2"]
    assert fragile.calls == 5  # a1 in the batch, alone and in two retries, then a2
    letter = DeadLetter.objects.get()
    assert (letter.state, letter.attempts, letter.reason) == ("dead", 3, "ValueError: cannot take 1")
    assert "in fragile" in letter.traceback
    assert letter.first_failed_at <= letter.died_at
    assert [record.levelname for record in caplog.records if record.message == "event.dead_lettered"] == ["ERROR"]


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_a_dead_letter_is_seen_through_its_view_and_is_not_in_the_inbox_view(stage, fragile):
    fragile.broken = {1}
    announce(("a", 1))
    stage.relay()
    stage.consume(5)
    with connection.cursor() as cursor:
        cursor.execute("SELECT consumer, type, attempts, reason, state FROM audit_dead_letters")
        expected = ("project.fragile", "project.thing_made.v1", 3, "ValueError: cannot take 1", "dead")
        assert cursor.fetchall() == [expected]
        cursor.execute("SELECT * FROM audit_inbox")
        assert cursor.fetchall() == []


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_a_redelivered_dead_letter_stays_dead(stage, fragile):
    fragile.broken = {1}
    announce(("a", 1))
    stage.relay()
    stage.consume(5)
    stage.restart()
    stage.consume(5)
    assert fragile.applied == []
    assert DeadLetter.objects.count() == 1
    assert fragile.calls == 4


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_replay_applies_once(stage, fragile):
    fragile.broken = {1}
    announce(("a", 1))
    stage.relay()
    stage.consume(5)
    fragile.broken = set()
    letter = DeadLetter.objects.get()
    assert dead_letters.replay([letter.id]) == 1
    stage._loop._retries.expect()
    stage.consume(2)
    stage.restart()
    stage.consume(2)
    assert fragile.applied == ["a1"]
    letter.refresh_from_db()
    assert letter.state == "replayed"
    assert InboxRow.objects.get().applied_at is not None
    with pytest.raises(Conflict):
        dead_letters.replay([letter.id])


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_what_fails_again_after_a_replay_is_the_same_dead_letter_again(stage, fragile):
    fragile.broken = {1}
    announce(("a", 1))
    stage.relay()
    stage.consume(5)
    dead_letters.replay([DeadLetter.objects.get().id])
    stage._loop._retries.expect()
    stage.consume(5)
    assert DeadLetter.objects.get().state == "dead"


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_a_running_loop_takes_up_a_replay(stage, fragile):
    fragile.broken = {1}
    with stage.running():
        announce(("a", 1))
        stage.eventually(lambda: dead_letters.count() == 1)
        fragile.broken = set()
        dead_letters.replay([dead_letters.listed()[0].id])
        stage.eventually(lambda: fragile.applied == ["a1"], seconds=3)


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_discard_closes_without_applying(stage, fragile):
    fragile.broken = {1}
    announce(("a", 1))
    stage.relay()
    stage.consume(5)
    fragile.broken = set()
    assert dead_letters.discard([DeadLetter.objects.get().id]) == 1
    stage.consume(3)
    assert fragile.applied == []
    assert dead_letters.count() == 0


def test_an_event_that_cannot_be_read_is_a_dead_letter_at_once(stage, fragile):
    bodies = ["no json", '{"specversion":"1.0"}']
    stage.consume()
    stage.bus.publish(
        [Message(event_id=str(uuid4()), type=ThingMade.event_name, subject="a", body=body) for body in bodies]
    )
    announce(("a", 7))
    stage.carry()
    letters = dead_letters.listed()
    assert [(letter.attempts, letter.envelope) for letter in letters] == [(1, body) for body in bodies]
    assert fragile.applied == ["a7"]


def test_data_that_does_not_fit_is_mended_and_replayed(stage, fragile):
    class Other(Event, name="project.thing_made.v1", subject="thing"):
        thing: str
        number: str

    with transaction.atomic():
        publish(Other(thing="a", number="one"))
    stage.carry()
    (letter,) = dead_letters.listed()
    assert "Expected `int`, got `str`" in letter.reason
    with pytest.raises(ValidationFailed):
        dead_letters.edit(letter.id, b"[]")
    dead_letters.edit(letter.id, b'{"thing": "a", "number": 1}')
    dead_letters.replay([letter.id])
    stage._loop._retries.expect()
    stage.consume()
    assert fragile.applied == ["a1"]


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_a_failure_that_only_the_commit_meets_is_the_events_own(stage):
    @consumer(ThingMade)
    def dangling(event, envelope):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO auth_group (id, name) VALUES (%s, %s)", (event.number, event.thing))
            if event.number == 1:
                cursor.execute("INSERT INTO auth_group_permissions (group_id, permission_id) VALUES (1, 999999)")

    announce(("a", 1), ("b", 2))
    stage.relay()
    stage.consume(5)
    assert list(Group.objects.values_list("name", flat=True)) == ["b"]
    assert [letter.subject for letter in dead_letters.listed()] == ["a"]


@pytest.mark.parametrize("stage", [AT_ONCE], indirect=True)
def test_a_handler_that_marks_its_transaction_for_rollback_has_failed(stage):
    """Else its inbox row, and the neighbours in its batch, would vanish while the bus is acknowledged."""

    @consumer(ThingMade)
    def undecided(event, envelope):
        Group.objects.create(name=event.thing)
        if event.number == 1:
            transaction.set_rollback(True)

    announce(("a", 1), ("b", 2))
    stage.relay()
    stage.consume(5)
    assert list(Group.objects.values_list("name", flat=True)) == ["b"]
    assert [letter.subject for letter in dead_letters.listed()] == ["a"]


def test_unknown_dead_letters_are_named(stage):
    with pytest.raises(NotFound):
        dead_letters.show(uuid4())
