"""The loops of a service over a server that is killed, or that loses all it had."""

import pytest
import redis
from django.contrib.auth.models import Group
from django.db import transaction

from bandstand.events import Event, consumer, publish
from bandstand.testing.engines import RunningEngine
from tests.events.staging import own_registry, staged


class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
    """A thing exists."""

    thing: str


@pytest.fixture
def server(tmp_path):
    with RunningEngine("valkey", tmp_path / "valkey") as server:
        yield server


@pytest.fixture
def stage(server, tmp_path, transactional_db):
    with own_registry(), staged(tmp_path, BUS_URL=server.url) as stage:

        @consumer(ThingMade)
        def note_thing(event, envelope):
            Group.objects.create(name=event.thing)

        yield stage


def make(thing):
    with transaction.atomic():
        publish(ThingMade(thing=thing))


def things():
    return list(Group.objects.order_by("id").values_list("name", flat=True))


def test_events_go_on_after_the_server_was_killed(stage, server):
    with stage.running():
        make("before")
        stage.eventually(lambda: things() == ["before"])
        server.kill()
        make("meanwhile")
        server.start()
        make("after")
        stage.eventually(lambda: things() == ["before", "meanwhile", "after"], seconds=30)


def test_events_go_on_after_the_server_lost_all_it_had(stage, server):
    with stage.running():
        make("before")
        stage.eventually(lambda: things() == ["before"])
        with redis.Redis.from_url(server.url) as client:
            client.flushall()
        make("after")
        stage.eventually(lambda: things() == ["before", "after"], seconds=30)
