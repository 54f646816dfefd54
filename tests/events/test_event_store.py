"""An event store beside a bus that forgets: everything goes through it, and history comes out of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import transaction
from django.test import override_settings
from tests.events.brokers import Broker
from tests.events.staging import Stage, staged

from bandstand.events import Event, backends, checks, consumer, publish, registry, replaying, upcasting
from bandstand.events.backends import BusUnavailable, Message
from bandstand.events.history import NoHistory, Recorder, event_store, history, publisher
from bandstand.events.models import OutboxRow
from bandstand.events.operations.tailing import watch
from bandstand.events.retention import store_purge
from bandstand.testing.engines import RunningEngine


@pytest.fixture(autouse=True)
def _nothing_declared(_own_registry):
    for each in (registry._declared, registry._consumers, registry._local, upcasting._upcasters):
        each.clear()


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch):
    monkeypatch.setitem(backends._BACKENDS, "forgetful", "tests.events.forgetful:ForgetfulBus")


@pytest.fixture
def bus_url(tmp_path):
    return f"forgetful:///{tmp_path}/bus.sqlite3"


@pytest.fixture
def stage(tmp_path, bus_url, transactional_db) -> Iterator[Stage]:
    with staged(tmp_path, BUS_URL=bus_url, EVENT_STORE=f"embedded:///{tmp_path}/store.sqlite3") as stage:
        yield stage
        event_store().close()


@pytest.fixture
def made():
    class Made(Event, name="project.made.v1", subject="thing"):
        thing: str
        number: int

    return Made


class Seen(Event, name="project.made.v1"):
    """As much as the consumers read."""

    number: int


def consuming(name, into, *, reset=None):
    def handle(event, envelope):
        into.append(event.number)

    handle.__qualname__ = handle.__name__ = name
    consumer(Seen, name=name, reset=reset)(handle)


def published(made, *numbers):
    with transaction.atomic():
        for number in numbers:
            publish(made(thing="a", number=number))


def replayed(name):
    replaying.begin([name])
    return replaying.run()


def test_a_new_consumer_gets_what_the_bus_has_forgotten(stage, made):
    new = []
    published(made, 1, 2, 3)
    stage.relay()
    consuming("new", new)
    stage.consume(2)
    assert new == [], "the bus kept nothing for it"
    assert replayed("new").read == 3
    assert new == [1, 2, 3]
    assert event_store().groups() == []


def test_a_read_model_is_rebuilt_from_the_store(stage, made):
    got = []
    consuming("keep", got, reset=got.clear)
    stage.consume()
    published(made, 1, 2)
    stage.carry()
    assert got == [1, 2]
    replaying.begin_rebuild("keep")
    assert got == []
    replaying.run()
    stage.consume(2)
    assert got == [1, 2]


def test_between_the_history_and_what_comes_next_there_is_no_gap(stage, made):
    new = []
    published(made, 1)
    stage.relay()
    consuming("new", new)
    replayed("new")  # before any worker has told the bus of the new consumer
    published(made, 2)
    stage.carry()
    assert new == [1, 2]


def test_what_the_store_has_twice_is_applied_once(stage, made):
    new = []
    published(made, 1)
    stage.relay()
    (message,) = list(watch(["project.made.v1"], since=datetime(2026, 1, 1, tzinfo=UTC), follow=False))
    event_store().publish([message])
    consuming("new", new)
    assert replayed("new").read == 2
    assert new == [1]


def test_the_relay_loop_stores_what_it_publishes(stage, made):
    with stage.running("relay"):
        published(made, 1)
        stage.eventually(lambda: not OutboxRow.objects.exists())
    assert [each.subject for each in watch(["project.made.v1"], since=datetime(2026, 1, 1, tzinfo=UTC), follow=False)]


def test_the_store_forgets_after_its_own_retention(stage, made):
    published(made, 1, 2)
    stage.relay()
    assert store_purge(event_store(), stage.config)() == 0
    for kept, dropped in ((timedelta(days=1), 0), (timedelta(0), 2)):
        assert event_store().trim(kept) == dropped


def test_redis_streams_are_a_store(tmp_path, bus_url, transactional_db, made):
    got = []
    consuming("keep", got)
    with (
        RunningEngine("valkey", tmp_path / "valkey") as server,
        staged(tmp_path, BUS_URL=bus_url, EVENT_STORE=server.url) as stage,
    ):
        published(made, 1, 2)
        stage.relay()
        replayed("keep")
        assert got == [1, 2]
        assert event_store().trim(timedelta(0)) == 2, "no group of a replay holds it"
        event_store().close()


def message(subject, number):
    return Message(event_id=f"{subject}{number}", type="project.made.v1", subject=subject, body="{}")


def ids(broker):
    return [each.event_id for each in broker.taken]


def test_while_the_store_is_down_nothing_reaches_the_bus():
    store, bus = Broker(is_down=True), Broker()
    recorder = Recorder(store, bus)
    with pytest.raises(BusUnavailable, match="the event store"):
        recorder.publish([message("a", 1)])
    assert bus.taken == []
    store.is_down = False
    assert recorder.publish([message("a", 1)]).accepted == {"a1"}
    assert (ids(store), ids(bus)) == (["a1"], ["a1"])


def test_an_outage_of_the_bus_does_not_fill_the_store_with_copies():
    store, bus = Broker(), Broker(is_down=True)
    recorder = Recorder(store, bus)
    for batch in (["a1"], ["a1", "a2"], ["a1", "a2"]):
        with pytest.raises(BusUnavailable):
            recorder.publish([message(*each) for each in batch])
    bus.is_down = False
    assert recorder.publish([message("a", 1), message("a", 2)]).accepted == {"a1", "a2"}
    assert (ids(store), ids(bus)) == (["a1", "a2"], ["a1", "a2"])


def test_what_the_store_refuses_does_not_reach_the_bus_and_holds_back_its_subject():
    store, bus = Broker(refuses=["a"]), Broker()
    published = Recorder(store, bus).publish([message("a", 1), message("a", 2), message("b", 1)])
    assert published.refused == {"a1": "the event store refuses it: not for me"}
    assert (published.accepted, ids(bus)) == ({"b1"}, ["b1"])


def test_what_the_bus_refuses_is_refused_for_the_reason_that_the_bus_gives():
    published = Recorder(Broker(), Broker(refuses=["a"])).publish([message("a", 1), message("b", 1)])
    assert (published.refused, published.accepted) == ({"a1": "not for me"}, {"b1"})


def configured(**events):
    return override_settings(BANDSTAND={**settings.BANDSTAND, "EVENTS": events})


def test_a_bus_with_history_is_its_own_store_and_has_no_event_twice(tmp_path):
    url = f"embedded:///{tmp_path}/bus.sqlite3"
    with configured(BUS_URL=url, EVENT_STORE=url):
        assert checks.check_history() == []
        assert publisher() is history()


def test_without_a_store_history_is_refused_with_what_to_do(bus_url):
    with configured(BUS_URL=bus_url), pytest.raises(NoHistory, match=r"forgetful:// keeps no history; set EVENT_STORE"):
        history()


def test_a_read_model_that_cannot_be_rebuilt_is_found_by_the_system_check(bus_url, tmp_path):
    with configured(BUS_URL=bus_url):
        consuming("plain", [])
        assert checks.check_history() == []
        consuming("keep", [], reset=list)
        (warning,) = checks.check_history()
        assert (warning.id, warning.msg.partition(":")[0]) == ("bandstand.W208", "project.keep cannot be rebuilt")
    with configured(BUS_URL=bus_url, EVENT_STORE=f"embedded:///{tmp_path}/store.sqlite3"):
        assert checks.check_history() == []


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ("forgetful:////bus", "keeps no history; use embedded://"),
        ("forgetful:////store", "keeps no history; use embedded://"),
        ("nonsense://", "the scheme 'nonsense' is unknown"),
    ],
)
def test_a_store_that_is_none_is_an_error(store, sentence):
    with configured(BUS_URL="forgetful:////bus", EVENT_STORE=store):
        (error,) = checks.check_history()
    assert error.id == "bandstand.E206"
    assert sentence in error.msg
