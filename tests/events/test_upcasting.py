"""Events of older versions reach consumers of later ones: new, waiting, and dead for weeks."""

import json

import msgspec
import pytest
from django.db import transaction

from bandstand.events import Event, UnreadableEnvelope, consumer, dead_letters, publish, registry, upcaster, upcasting
from bandstand.events.checks import check_events
from bandstand.events.envelope import with_data
from bandstand.events.models import InboxRow, WaitingRow


@pytest.fixture(autouse=True)
def _nothing_declared(_own_registry):
    for each in (registry._declared, registry._consumers, registry._local, upcasting._upcasters):
        each.clear()


@pytest.fixture
def made():
    """The first version, as its publisher has it."""

    class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
        thing: str
        grams: int
        colour: str = "red"

    return ThingMade


class ThingMade3(Event, name="project.thing_made.v3"):
    """What is consumed since the last release."""

    thing: str
    weight: dict[str, int]


def released():
    """The release that consumes the third version, and what its consumer got."""
    got = []

    @upcaster("project.thing_made.v1", to="project.thing_made.v2")
    def in_milligrams(data):
        return {**{name: each for name, each in data.items() if name != "grams"}, "milligrams": data["grams"] * 1000}

    @upcaster("project.thing_made.v2", to="project.thing_made.v3")
    def as_weight(data):
        return {**data, "weight": {"milligrams": data["milligrams"]}}

    @consumer(ThingMade3, name="weigh")
    def weigh(event, envelope):
        got.append((event, envelope))

    return got


def published(event):
    with transaction.atomic():
        publish(event)


def test_a_consumer_gets_older_versions_lifted_along_the_chain(stage, made):
    got = released()
    published(made(thing="a", grams=3))
    stage.carry()
    ((event, envelope),) = got
    assert event.weight == {"milligrams": 3000}
    assert envelope.type == "project.thing_made.v3"
    assert json.loads(envelope.data)["colour"] == "red", "what the upcaster does not know survives"


def test_the_group_takes_every_version_that_leads_to_one_it_consumes(stage):
    released()
    stage.consume()
    (group,) = stage.bus.groups()
    assert group.types == tuple(f"project.thing_made.v{version}" for version in (1, 2, 3))


def failing_release():
    """The release before: it consumes the first version and cannot cope with it."""

    class ThingMade(Event, name="project.thing_made.v1"):
        thing: str

    @consumer(ThingMade, name="weigh")
    def weigh(event, envelope):
        raise ValueError("the scales are broken")


@pytest.mark.parametrize("stage", [{"ATTEMPTS": 1}], indirect=True)
def test_a_dead_letter_of_an_older_version_is_replayed_after_the_upgrade(stage, made):
    failing_release()
    published(made(thing="a", grams=3))
    stage.carry()
    (letter,) = dead_letters.listed()
    registry._consumers.clear()
    stage.restart()
    got = released()
    dead_letters.replay([letter.id])
    stage.consume(2)
    assert [event.weight for event, _ in got] == [{"milligrams": 3000}]
    assert InboxRow.objects.get().applied_at is not None


def test_what_waits_in_an_older_version_is_applied_after_the_upgrade(stage, made):
    failing_release()
    published(made(thing="a", grams=3))
    published(made(thing="a", grams=4))
    stage.carry()
    assert WaitingRow.objects.count() == 2
    registry._consumers.clear()
    stage.restart()
    got = released()
    stage.consume()
    stage.eventually(lambda: stage.consume() or not WaitingRow.objects.exists())
    assert [event.weight["milligrams"] for event, _ in got] == [3000, 4000]


def test_an_upcaster_that_raises_makes_a_dead_letter_with_its_traceback(stage, made):
    @upcaster("project.thing_made.v1", to="project.thing_made.v3")
    def careless(data):
        return {"thing": data["name"]}

    consumer(ThingMade3, name="weigh")(lambda event, envelope: None)
    published(made(thing="a", grams=3))
    stage.carry()
    (letter,) = dead_letters.listed()
    assert letter.reason == (
        "the event cannot be read: project.thing_made.v1 cannot become project.thing_made.v3: KeyError: 'name'"
    )
    assert "in careless" in letter.traceback


def test_what_waits_for_a_consumer_that_no_upcaster_leads_to_is_a_dead_letter(stage, made):
    failing_release()
    published(made(thing="a", grams=3))
    stage.carry()
    registry._consumers.clear()
    stage.restart()
    consumer(ThingMade3, name="weigh")(lambda event, envelope: None)
    stage.eventually(lambda: stage.consume() or dead_letters.count())
    (letter,) = dead_letters.listed()
    assert letter.reason.endswith("no upcaster leads from project.thing_made.v1 to project.thing_made.v3")


@pytest.mark.parametrize(
    ("old", "to"),
    [
        ("a.thing.v1", "a.other.v2"),
        ("a.thing.v2", "a.thing.v2"),
        ("a.thing.v2", "a.thing.v1"),
        ("a.thing", "a.thing.v2"),
    ],
)
def test_an_upcaster_leads_to_a_later_version_of_the_same_fact(old, to):
    with pytest.raises(ValueError, match="no older version"):
        upcaster(old, to=to)


def test_there_is_one_way_up_from_each_version():
    upcaster("a.thing.v1", to="a.thing.v2")(lambda data: data)

    def another(data):
        return data

    with pytest.raises(ValueError, match="two upcasters lead up from"):
        upcaster("a.thing.v1", to="a.thing.v3")(another)


def test_an_upcaster_to_what_nobody_consumes_is_found(stage):
    upcaster("a.thing.v1", to="a.thing.v2")(lambda data: data)
    assert [message.id for message in check_events()] == ["bandstand.W210"]


ENVELOPE = {
    "specversion": "1.0", "id": "0199b1a2-0000-7000-8000-000000000000", "source": "shop", "type": "shop.paid.v1",
    "subject": "1", "time": "2026-01-01T00:00:00Z", "data": {"a": 1}, "sequence": "7", "tenant": "north", "weight": 3,
}  # fmt: skip


def test_attributes_that_we_do_not_know_survive_another_data():
    changed = with_data(json.dumps(ENVELOPE), b'{"a": 2, "b": 3}')
    assert json.loads(changed) == {**ENVELOPE, "data": {"a": 2, "b": 3}}


@pytest.mark.parametrize(("envelope", "data"), [(ENVELOPE, b"[]"), (ENVELOPE, b"{"), ({"data": 1}, b"{}")])
def test_data_that_is_no_object_and_envelopes_that_are_none_are_refused(envelope, data):
    with pytest.raises(UnreadableEnvelope):
        with_data(msgspec.json.encode(envelope).decode(), data)


@pytest.mark.parametrize("stage", [{"ATTEMPTS": 1}], indirect=True)
def test_an_edited_dead_letter_keeps_the_attributes_that_we_do_not_know(stage, made):
    failing_release()
    published(made(thing="a", grams=3))
    stage.carry()
    (letter,) = dead_letters.listed()
    letter.envelope = json.dumps({**json.loads(letter.envelope), "tenant": "north"})
    letter.save(update_fields=["envelope"])
    dead_letters.edit(letter.id, b'{"thing": "b", "grams": 3, "new": 1}')
    kept = json.loads(dead_letters.show(letter.id).envelope)
    assert (kept["tenant"], kept["data"]) == ("north", {"thing": "b", "grams": 3, "new": 1})
