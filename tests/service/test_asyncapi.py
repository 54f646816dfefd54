"""The AsyncAPI documents hold against the schema of the specification, and what travels against its payload."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest
import yaml

from bandstand.events import Envelope, Event, registry, upcaster, upcasting
from bandstand.events.asyncapi import asyncapi_document
from bandstand.events.contracts import schema_of
from bandstand.events.readers import reader

HERE = Path(__file__).parent
COMMITTED = sorted((HERE.parents[1] / "contracts" / "asyncapi").glob("*.yaml"))
SPECIFICATION = json.loads((HERE / "asyncapi_schema" / "asyncapi-3.0.0.json").read_text())


class Line(Event):
    """A part of the event below."""

    sku: str


class ParcelSent(Event, name="project.parcel_sent.v2", subject="parcel_id"):
    """A parcel is on its way."""

    parcel_id: UUID
    lines: list[Line]


def learn(event: ParcelSent, _: Envelope) -> None:
    """Learn of the parcel."""


@pytest.fixture
def document() -> dict[str, Any]:
    """A publisher, and a consumer that lifts an older version."""
    kept = {**upcasting._upcasters}
    upcaster("project.parcel_sent.v1", to="project.parcel_sent.v2")(lambda data: data)
    found = reader(registry.Consumer(name="learn", event=ParcelSent, handler=learn))
    upcasting._upcasters.clear()
    upcasting._upcasters.update(kept)
    return asyncapi_document("shop", {ParcelSent.event_name: schema_of(ParcelSent)}, [found])


def resolved(document: dict[str, Any], reference: str) -> Any:
    """What a local reference points to."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(value: Any) -> list[str]:
    """Every reference in a document."""
    if isinstance(value, dict):
        return [value["$ref"]] if "$ref" in value else [each for item in value.values() for each in references(item)]
    return [each for item in value for each in references(item)] if isinstance(value, list) else []


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_the_committed_documents_are_asyncapi(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    jsonschema.Draft7Validator(SPECIFICATION).validate(document)
    for each in references(document):
        resolved(document, each)


def test_the_fleet_has_a_document_beside_those_of_its_services() -> None:
    assert {"fleet", "orders", "users", "notifications"} <= {path.stem for path in COMMITTED}


def test_the_schema_refuses_what_is_no_asyncapi(document: dict[str, Any]) -> None:
    """The copy is cut down; it must still be able to say no."""
    document["operations"]["receive.project.learn"]["action"] = "listen"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SPECIFICATION).validate(document)


def test_operations_say_who_sends_and_who_receives_which_version(document: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(SPECIFICATION).validate(document)
    told = {key: (each["action"], each["channel"]["$ref"]) for key, each in document["operations"].items()}
    assert told == {
        "send.project.parcel_sent.v2": ("send", "#/channels/project.parcel_sent.v2"),
        "receive.project.learn": ("receive", "#/channels/project.parcel_sent.v2"),
        "receive.project.learn.v1": ("receive", "#/channels/project.parcel_sent.v1"),
    }


def payload(document: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    """What judges a message, as a tool that reads the document would make it."""
    schema = {**document["components"]["messages"][name]["payload"], "components": document["components"]}
    return jsonschema.Draft202012Validator(schema)


def test_what_travels_fits_the_payload_and_another_event_does_not(document: dict[str, Any]) -> None:
    event = ParcelSent(parcel_id=UUID(int=1), lines=[Line(sku="a")])
    envelope = Envelope.decoded(
        json.dumps({
            "specversion": "1.0", "id": str(UUID(int=2)), "source": "shop", "type": event.event_name, "subject": "1",
            "time": "2026-01-01T00:00:00Z", "data": json.loads(event.encoded()),
        })
    )  # fmt: skip
    judge = payload(document, event.event_name)
    judge.validate(json.loads(replace(envelope, sequence=7).encoded()))
    assert not judge.is_valid(json.loads(replace(envelope, type="project.parcel_lost.v1").encoded()))
    assert not judge.is_valid(json.loads(replace(envelope, data=b'{"parcel_id": 1}').encoded()))


def test_two_readers_of_a_foreign_event_are_both_satisfied() -> None:
    class Less(Event, name="other.thing_made.v1"):
        one: int

    class More(Event, name="other.thing_made.v1"):
        two: str

    found = [reader(registry.Consumer(name=cls.__name__, event=cls, handler=learn)) for cls in (Less, More)]
    judge = payload(asyncapi_document("shop", {}, found), "other.thing_made.v1")
    told = {"specversion": "1.0", "id": "", "source": "", "type": "other.thing_made.v1", "subject": "", "time": ""}
    assert judge.is_valid({**told, "data": {"one": 1, "two": "b"}})
    assert not judge.is_valid({**told, "data": {"one": 1}})


def test_consumers_have_the_sentence_of_their_handler(document: dict[str, Any]) -> None:
    assert document["operations"]["receive.project.learn"]["summary"] == "Learn of the parcel."
