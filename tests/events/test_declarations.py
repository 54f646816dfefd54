"""Checks and contracts: what is wrong with a declaration is said before the first event."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest

from bandstand.events import Event, consumer, registry
from bandstand.events.checks import check_bus, check_events
from bandstand.events.contracts import schema_of


@pytest.fixture(autouse=True)
def _nothing_declared(_own_registry):
    """Other modules of the suite declare events under the same names."""
    for each in (registry._declared, registry._consumers, registry._local):
        each.clear()


def ids(messages):
    return [message.id for message in messages]


def test_sound_declarations_pass(stage):
    class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
        thing: str

    class OrderPlaced(Event, name="orders.order_placed.v1"):
        order_id: UUID

    @consumer(OrderPlaced)
    def look(event, envelope): ...

    assert check_events() == []
    assert check_bus() == []


def test_publishing_a_foreign_event_is_found(stage):
    class OrderPlaced(Event, name="orders.order_placed.v1", subject="order_id"):
        order_id: UUID

    assert ids(check_events()) == ["bandstand.E202"]


def test_two_publishers_of_one_event_are_found(stage):
    class One(Event, name="project.thing_made.v1", subject="thing"):
        thing: str

    class Two(Event, name="project.thing_made.v1", subject="thing"):
        thing: str

    assert ids(check_events()) == ["bandstand.E203"]


def test_consuming_a_class_without_a_name_is_found(stage):
    class Shared(Event):
        thing: str

    consumer(Shared, name="nameless")(lambda event, envelope: None)
    assert ids(check_events()) == ["bandstand.E204"]


def test_a_field_that_json_cannot_carry_is_found(stage):
    class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
        thing: str
        picture: type

    assert ids(check_events()) == ["bandstand.E205"]


@pytest.mark.parametrize("stage", [{}], indirect=True)
@pytest.mark.parametrize(("url", "expected"), [("pigeon://roof", ["bandstand.E201"]), ("", ["bandstand.W201"])])
def test_a_bus_that_nothing_serves_is_found(stage, settings, url, expected):
    class ThingMade(Event, name="project.thing_made.v1", subject="thing"):
        thing: str

    settings.BANDSTAND = {**settings.BANDSTAND, "EVENTS": {"BUS_URL": url}}
    assert ids(check_bus()) == expected


def test_the_contract_is_a_json_schema_of_the_data():
    @dataclass(frozen=True)
    class Line:
        sku: str

    class OrderPlaced(Event, name="project.order_placed.v1", subject="order_id"):
        """A customer placed an order."""

        order_id: UUID
        at: datetime
        lines: tuple[Line, ...] = ()

    schema = schema_of(OrderPlaced)
    assert schema["$id"] == "project.order_placed.v1"
    assert schema["description"] == "A customer placed an order."
    assert schema["x-subject"] == "order_id"
    assert schema["required"] == ["order_id", "at"]
    assert schema["properties"]["order_id"] == {"type": "string", "format": "uuid"}
    assert schema["properties"]["lines"]["items"] == {"$ref": "#/$defs/Line"}
    assert schema["$defs"]["Line"]["required"] == ["sku"]
