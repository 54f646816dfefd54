"""History for a new consumer, and a read model from zero: in order, once, while the service's reader stands by."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction

from bandstand import clock
from bandstand.errors import Conflict, NotFound
from bandstand.events import Event, consumer, dead_letters, publish, registry, replaying, upcasting
from bandstand.events.backends.embedded import EmbeddedBus
from bandstand.events.history import NoHistory
from bandstand.events.models import EventAction, InboxRow, Replay, WaitingRow
from bandstand.events.operations.output import Error

pytestmark = pytest.mark.parametrize("stage", [{"ATTEMPTS": 1}], indirect=True)


@pytest.fixture(autouse=True)
def _nothing_declared(_own_registry):
    for each in (registry._declared, registry._consumers, registry._local, upcasting._upcasters):
        each.clear()


@pytest.fixture
def made():
    class Made(Event, name="project.made.v1", subject="thing"):
        thing: str
        number: int

    return Made


class Seen(Event, name="project.made.v1"):
    """As much as the consumers read."""

    number: int


def consuming(name, into, *, refusing=(), reset=None):
    """A consumer that keeps numbers in a list, which is its read model."""

    def handle(event, envelope):
        if event.number in refusing:
            raise ValueError(event.number)
        into.append(event.number)

    handle.__qualname__ = handle.__name__ = name
    consumer(Seen, name=name, reset=reset)(handle)


def published(made, *numbers, thing="a"):
    with transaction.atomic():
        for number in numbers:
            publish(made(thing=thing, number=number))


def replayed(*names, **options):
    replaying.begin(names, **options)
    return replaying.run()


def groups(stage):
    return [report.name for report in stage.bus.groups()]


def test_a_new_consumer_gets_the_history_and_the_old_one_nothing_twice(stage, made):
    old, new = [], []
    consuming("old", old)
    published(made, 1, 2, 3)
    stage.carry()
    consuming("new", new)
    assert replayed("new").read == 3
    assert (old, new) == ([1, 2, 3], [1, 2, 3])
    assert groups(stage) == ["project"], "the temporary group is forgotten"
    assert not Replay.objects.exists()


def test_what_a_consumer_has_applied_is_not_applied_again(stage, made):
    got = []
    consuming("keep", got)
    published(made, 1, 2)
    stage.carry()
    replayed("keep")
    assert got == [1, 2]


def test_the_reader_stands_by_and_finds_applied_what_came_meanwhile(stage, made):
    old, new = [], []
    consuming("old", old)
    published(made, 1)
    stage.carry()
    stage.restart()
    consuming("new", new)
    replaying.begin(["new"])
    published(made, 2, 3)
    stage.carry()
    assert (old, new) == ([1], []), "nothing is applied before the history"
    replaying.run()
    assert new == [1, 2, 3]
    stage.consume(2)
    assert (old, new) == ([1, 2, 3], [1, 2, 3])


def test_a_rebuilt_read_model_is_what_it_was(stage, made):
    got = []
    consuming("keep", got, reset=got.clear)
    published(made, 1, 2, thing="a")
    published(made, 3, thing="b")
    stage.carry()
    before, got[:] = list(got), [99]
    replaying.begin_rebuild("keep")
    assert got == []
    replaying.run()
    assert got == before
    assert {row.action for row in EventAction.objects.all()} == {"replay"}


def test_consumers_of_one_read_model_are_rebuilt_together(stage, made):
    got = []
    reset = got.clear
    consuming("first", got, reset=reset)
    consuming("second", got, reset=reset)
    consuming("other", [])
    assert [each.name for each in replaying.read_model("first")] == ["first", "second"]
    with pytest.raises(Conflict, match="declares no reset"):
        replaying.begin_rebuild("other")


def test_what_fails_in_a_replay_waits_or_dies_as_ever_and_those_behind_go_on(stage, made):
    new = []
    published(made, 1, 2, 3)
    stage.relay()
    consuming("new", new, refusing=[2])
    replayed("new")
    assert list(dict.fromkeys(new)) == [1, 3], "a list does not roll back, so it shows the batch and then each alone"
    assert [letter.reason for letter in dead_letters.listed()] == ["ValueError: 2"]


def test_a_rebuild_leaves_dead_letters_to_the_person_who_has_them(stage, made):
    got = []
    consuming("keep", got, refusing=[2], reset=got.clear)
    published(made, 1, 2, 3)
    stage.carry()
    assert dead_letters.count() == 1
    consuming_again = registry._consumers["keep"]
    registry._consumers.clear()
    consuming("keep", got, reset=consuming_again.reset)
    replaying.begin_rebuild("keep")
    replaying.run()
    assert got == [1, 3]
    assert (dead_letters.count(), WaitingRow.objects.count()) == (1, 0)


def test_a_replay_whose_process_dies_is_gone_on_with(stage, made):
    new = []

    class Killed(BaseException):
        """As a signal would end it."""

    def die(progress):
        raise Killed

    published(made, *range(10))
    stage.relay()
    consuming("new", new)
    replaying.begin(["new"])
    with pytest.raises(Killed):
        replaying.run(die)
    assert new == list(range(10)), "all of it was applied, and none of it acknowledged as done"
    with pytest.raises(Conflict, match="under way"):
        replaying.begin(["new"])
    stage.consume()
    assert InboxRow.objects.count() == 10
    replaying.run()
    assert new == list(range(10))
    assert groups(stage) == ["project"]


def test_a_replay_can_be_given_up(stage, made):
    new = []
    published(made, 1)
    stage.relay()
    consuming("new", new)
    replaying.begin(["new"])
    stage.consume(2)
    assert new == []
    replaying.abort(by="ada")
    trail = EventAction.objects.order_by("id").values_list("action", "consumer", "note")
    assert list(trail) == [("replay", "project.new", ""), ("replay", "project.new", "given up")]
    assert EventAction.objects.latest("id").actor == "ada"
    stage.consume(2)
    assert new == [1]
    with pytest.raises(NotFound, match="no replay"):
        replaying.run()


def test_since_leaves_out_what_is_older(stage, made):
    new = []
    published(made, 1)
    stage.relay()
    published(made, 2)
    stage.relay()
    consuming("new", new)
    with stage.bus.reading() as connection:
        (body,) = connection.execute("SELECT body FROM log ORDER BY id LIMIT 1 OFFSET 1").fetchone()
    replayed("new", since=replaying.Envelope.decoded(body).time)
    assert new == [2]


def test_a_consumer_with_a_past_gets_nothing_that_the_inbox_may_have_forgotten(stage, made):
    consuming("keep", [])
    published(made, 1)
    stage.carry()
    noted = replaying.begin(["keep"])
    remembered = stage.config.inbox_retention * 0.9
    assert abs(noted.started_at - noted.since - remembered) < timedelta(seconds=5)


def test_what_the_inbox_has_forgotten_is_not_replayed_to_a_consumer_with_a_past_whatever_is_asked(stage, made):
    consuming("keep", [])
    published(made, 1)
    stage.carry()
    now = clock.now()
    with pytest.raises(Conflict, match="would be applied again"):
        replaying.begin(["keep"], since=now - stage.config.inbox_retention - timedelta(hours=1))
    wanted = now - stage.config.inbox_retention + timedelta(hours=1)
    assert replaying.begin(["keep"], since=wanted).since == wanted


def test_a_bus_without_history_is_refused_and_nothing_is_emptied(stage, made, monkeypatch):
    got = [1]
    consuming("keep", got, reset=got.clear)
    monkeypatch.setattr(EmbeddedBus, "keeps_history", False)
    with pytest.raises(NoHistory, match="keeps no history"):
        replaying.begin_rebuild("keep")
    assert (got, Replay.objects.count()) == ([1], 0)


def told(*words):
    out = io.StringIO()
    call_command("replay", *words, stdout=out)
    return out.getvalue()


def test_the_command_replays_rebuilds_and_tells_how_far_it_is(stage, made):
    got = []
    published(made, 1, 2)
    stage.relay()
    consuming("keep", got, reset=got.clear)
    assert told("keep") == "2 read, 0 left\nreplayed; 2 events were read\n"
    assert "project.keep: emptied, then built from what the bus still has" in told("project.keep", "--rebuild", "--yes")
    assert got == [1, 2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name the consumers"),
        (["nobody"], "there is no consumer 'nobody'"),
        (["--go-on"], "no replay was begun"),
        (["--rebuild"], "takes one consumer"),
    ],
)
def test_the_command_refuses_with_a_sentence(stage, words, sentence):
    with pytest.raises(Error, match=sentence):
        told(*words)
