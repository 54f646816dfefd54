"""A broken promise names whom it breaks, by file and line of the field and of the handler."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from bandstand.events import Envelope, Event
from bandstand.events.contracts import schema_of
from bandstand.events.readers import reader
from bandstand.events.registry import Consumer
from bandstand.service.promises import Facts, Review, review, write

EVENT = "shop.order_placed.v1"


@dataclass(frozen=True, kw_only=True)
class Price:
    """As much of a price as the reader needs."""

    amount: int


class Order(Event):
    """Fields that a reader inherits."""

    order_id: UUID


class OrderPlaced(Order, name="shop.order_placed.v1"):
    """What the consumer of these tests reads."""

    total: Price


def on_order_placed(event: OrderPlaced, _: Envelope) -> None:
    """Read the event."""


READER = reader(Consumer(name="on_order_placed", event=OrderPlaced, handler=on_order_placed))
UUID_TEXT = {"type": "string", "format": "uuid"}
TOTAL = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
FIELDS: dict[str, Any] = {"order_id": UUID_TEXT, "total": TOTAL, "note": {"type": "string"}}


def line_of(text: str) -> str:
    """Where *text* stands in this file."""
    lines = Path(__file__).read_text().splitlines()
    return f"{__file__}:{lines.index(text) + 1}"


def schema(**properties: Any) -> dict[str, Any]:
    """A schema with these fields, all required."""
    return {"type": "object", "properties": properties, "required": sorted(properties), "x-subject": "order_id"}


def shop(events: dict[str, Any]) -> Facts:
    """What the publisher says."""
    documents = {f"events/{name}.json": json.dumps(each) for name, each in events.items()}
    return Facts(service="shop", documents=documents, events=events, readers=[])


READS = Facts(service="project", documents={}, events={}, readers=[READER])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Contracts as they are committed."""
    write(tmp_path, [shop({EVENT: schema(**FIELDS)}), READS])
    return tmp_path


def after(folder: Path, **properties: Any) -> Review:
    """The contracts, once the publisher has these fields."""
    return review(folder, [shop({EVENT: schema(**properties)}), READS])


def test_what_is_written_is_clean(folder: Path) -> None:
    assert after(folder, **FIELDS).is_clean
    assert json.loads((folder / "consumers.json").read_text()) == {"project.on_order_placed": [EVENT]}


def test_a_renamed_field_names_the_line_of_the_field_and_of_the_handler(folder: Path) -> None:
    renamed = {("id" if name == "order_id" else name): each for name, each in FIELDS.items()}
    found = after(folder, **renamed)
    (broken,) = found.broken
    assert (broken.field, broken.what) == ("order_id", "was removed; is 'id' its new name?")
    (reading,) = broken.readers
    assert reading.consumer == "project.on_order_placed"
    assert reading.field == line_of("    order_id: UUID")
    assert reading.handler == line_of("def on_order_placed(event: OrderPlaced, _: Envelope) -> None:")
    assert found.misreads == []  # that is the same fault


def test_a_nested_field_is_named_where_the_reader_declares_it(folder: Path) -> None:
    (broken,) = after(folder, **{**FIELDS, "total": {**TOTAL, "properties": {}, "required": []}}).broken
    assert broken.field == "total.amount"
    assert [each.field for each in broken.readers] == [line_of("    amount: int")]


def test_a_field_that_nobody_reads_is_a_promise_all_the_same(folder: Path) -> None:
    (broken,) = after(folder, order_id=UUID_TEXT, total=TOTAL).broken
    assert str(broken) == f"{EVENT}: field 'note' was removed\n    no known consumer reads it"


def test_another_subject_breaks_every_consumer(folder: Path) -> None:
    (broken,) = review(folder, [shop({EVENT: {**schema(**FIELDS), "x-subject": "note"}}), READS]).broken
    assert (broken.field, broken.what) == ("order_id", "is the subject no longer, but 'note'")
    assert [each.consumer for each in broken.readers] == ["project.on_order_placed"]


def test_an_event_that_is_consumed_cannot_go(folder: Path) -> None:
    (broken,) = review(folder, [shop({}), READS]).broken
    assert (broken.field, broken.what) == ("", "is published no longer")
    assert [each.consumer for each in broken.readers] == ["project.on_order_placed"]


def test_an_event_that_nobody_consumes_may_go(folder: Path) -> None:
    found = review(folder, [shop({}), Facts(service="project", documents={}, events={}, readers=[])])
    assert found.broken == []
    assert "events/shop.order_placed.v1.json" in {drift.path for drift in found.drifts}


def test_an_addition_is_only_to_be_written_down(folder: Path) -> None:
    more = schema(**FIELDS)
    more["properties"]["coupon"] = {"type": "string", "default": ""}
    found = review(folder, [shop({EVENT: more}), READS])
    assert (found.broken, found.misreads) == ([], [])
    assert [drift.path for drift in found.drifts] == ["asyncapi/shop.yaml", f"events/{EVENT}.json"]
    write(folder, [shop({EVENT: more}), READS])
    assert review(folder, [shop({EVENT: more}), READS]).is_clean


@pytest.mark.parametrize(
    ("published", "told"),
    [
        ({"order_id": UUID_TEXT}, "field 'total' is not published"),
        ({"order_id": {"type": "string"}, "total": TOTAL}, "field 'order_id' is published as string, read as uuid"),
    ],
)
def test_a_consumer_that_reads_what_nobody_promised_is_named(tmp_path: Path, published: Any, told: str) -> None:
    publisher = shop({EVENT: schema(**published)})
    write(tmp_path, [publisher, READS])
    (misread,) = review(tmp_path, [publisher, READS]).misreads
    assert str(misread).startswith(f"{EVENT}: {told}")
    assert misread.readers[0].field in {line_of("    total: Price"), line_of("    order_id: UUID")}


def test_an_event_that_nobody_publishes_is_told(tmp_path: Path) -> None:
    (misread,) = review(tmp_path, [READS]).misreads
    assert misread.what == "is published by nobody"


def test_a_service_alone_is_held_against_what_the_others_committed(folder: Path) -> None:
    """A service in a repository of its own has the contracts of the others, not their code."""
    assert review(folder, [READS]).is_clean


def test_a_consumer_reads_its_own_schema(folder: Path) -> None:
    assert READER.schema == schema_of(OrderPlaced)
    assert list(READER.fields) == ["order_id", "total", "total.amount"]


def test_a_consumer_is_named_by_the_upcaster_that_reads_an_older_version(folder: Path) -> None:
    later = replace(READER, event="shop.order_placed.v2", older={EVENT: "lifting.py:7"})
    reads = Facts(service="project", documents={}, events={}, readers=[later])
    (broken,) = review(folder, [shop({EVENT: schema(order_id=UUID_TEXT, total=TOTAL)}), reads]).broken
    assert [each.field for each in broken.readers] == ["lifting.py:7"]


def test_an_older_version_may_go_once_its_consumers_lift_it(folder: Path) -> None:
    later = replace(READER, event="shop.order_placed.v2", older={EVENT: "lifting.py:7"})
    reads = Facts(service="project", documents={}, events={}, readers=[later])
    publisher = shop({"shop.order_placed.v2": schema(**FIELDS)})
    assert review(folder, [publisher, reads]).broken == []
    write(folder, [publisher, reads])
    assert json.loads((folder / "consumers.json").read_text()) == {
        "project.on_order_placed": ["shop.order_placed.v2", EVENT]
    }
    assert review(folder, [publisher, reads]).is_clean
