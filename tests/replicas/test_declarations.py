"""What is refused at the start, and what a replica tells of itself in contracts."""

import linecache

import pytest
from django.db import models
from django.test.utils import isolate_apps

from bandstand.events.compatibility import evolution
from bandstand.events.readers import reader
from bandstand.events.registry import Consumer
from bandstand.replicas import Replica
from bandstand.replicas.checks import check_source
from bandstand.replicas.consuming import consumers_of, register
from bandstand.replicas.declaration import declaration
from bandstand.service.promises import Facts, review, write
from tests.events.staging import own_registry
from tests.replicas.world import City


def source(**declared):
    return type("Source", (), {"kept_by": ("atlas.made.v1",), **declared})


def replica(source, **columns):
    body = {"__module__": __name__, "Source": source, "key": models.UUIDField(primary_key=True), **columns}
    body["Meta"] = type("Meta", (), {"app_label": "project"})
    return type("Thing", (Replica,), body)


FAULTY = {
    "E602": lambda: replica(source(kept_by=())),
    "E602 unheard of": lambda: replica(source(deleted_by=("atlas.gone.v1",))),
    "E602 nothing kept": lambda: replica(type("Source", (), {"removed_by": ("atlas.gone.v1",)})),
    "E603": lambda: replica(source(kept_by=("atlas.made",))),
    "E603 twice": lambda: replica(source(removed_by=("atlas.made.v1",))),
    "E604": lambda: replica(source(kept_by=("atlas.made.v1", "globe.made.v1"))),
    "E605": lambda: replica(source(), key=models.AutoField(primary_key=True)),
    "E605 column": lambda: replica(source(), picture=models.FileField()),
    "E606": lambda: replica(source(fields={"nme": "name"}), name=models.TextField()),
    "E606 path": lambda: replica(
        source(fields={"name": "label", "short": "label.short"}), name=models.TextField(), short=models.TextField()
    ),
    "E606 meant": lambda: replica(source(kept_by={"atlas.made.v1": {"size": 1}})),
    "E606 key meant": lambda: replica(source(kept_by={"atlas.made.v1": {"key": 1}})),
    "E607": lambda: replica(source(), name=models.CharField(max_length=9, unique=True)),
}


@pytest.mark.parametrize("fault", FAULTY)
@isolate_apps("tests.project")
def test_a_faulty_declaration_is_refused_by_a_system_check(fault):
    found = FAULTY[fault]().check()
    assert f"bandstand.{fault.partition(' ')[0]}" in {message.id for message in found}
    assert all(message.hint for message in found if message.id.startswith("bandstand."))


def test_a_sound_declaration_passes():
    assert check_source(City) == []


@isolate_apps("tests.project")
def test_a_replica_in_another_database_than_the_inbox_is_refused(settings):
    settings.BANDSTAND = {**settings.BANDSTAND, "EVENTS": {"DATABASE": "elsewhere"}}
    assert [message.id for message in check_source(replica(source()))] == ["bandstand.E608"]


def test_without_its_app_nothing_keeps_a_replica(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "bandstand.replicas"]
    assert [message.id for message in check_source(City)] == ["bandstand.E601"]


@pytest.fixture
def registered():
    with own_registry():
        register(declaration(City))
        yield {each.name: each for each in consumers_of(declaration(City))}


def test_each_event_has_a_consumer_that_reads_what_the_columns_need(registered):
    assert set(registered) == {"city.city_founded.v1", "city.city_changed.v1", "city.city_razed.v1"}
    founded = reader(registered["city.city_founded.v1"])
    assert set(founded.fields) == {"city_id", "name", "mayor", "population", "place", "place.country"}
    assert set(reader(registered["city.city_razed.v1"]).fields) == {"city_id"}
    assert founded.schema["required"] == ["city_id", "name", "place"]


def line(place):
    path, _, number = place.rpartition(":")
    return linecache.getline(path, int(number))


def test_every_field_stands_at_the_line_that_asks_for_it(registered):
    founded = reader(registered["city.city_founded.v1"])
    assert "class City(Replica)" in line(founded.handler)
    assert "name = models.CharField" in line(founded.fields["name"])
    assert 'fields = {"country": "place.country"}' in line(founded.fields["place.country"])


def promised(consumer: Consumer, **renamed):
    """The schema of an event as its owner publishes it, with fields renamed."""
    schema = {**reader(consumer).schema, "$id": consumer.event.event_name, "x-subject": "city_id"}
    schema["properties"] = {renamed.get(name, name): each for name, each in schema["properties"].items()}
    schema["required"] = [renamed.get(name, name) for name in schema["required"]]
    return schema


def test_renaming_a_field_of_the_event_names_the_line_of_the_replica_as_broken(registered, tmp_path):
    consumer = registered["city.city_founded.v1"]
    before = {consumer.event.event_name: promised(consumer)}
    after = {consumer.event.event_name: promised(consumer, name="title")}
    assert evolution(*before.values(), *after.values())
    mine = Facts(service="project", documents={}, events={}, readers=[reader(consumer)])

    def atlas(events):
        documents = {f"events/{name}.json": __import__("json").dumps(schema) for name, schema in events.items()}
        return Facts(service="atlas", documents=documents, events=events, readers=[])

    write(tmp_path, [atlas(before), mine])
    assert review(tmp_path, [atlas(before), mine]).is_clean
    (broken,) = review(tmp_path, [atlas(after), mine]).broken
    assert "project.city.city_founded.v1 reads it at" in str(broken)
    assert "name = models.CharField" in line(broken.readers[0].field)
