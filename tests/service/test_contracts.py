"""A consumer that reads what nobody promises is named with file and line."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from bandstand.events import Envelope, Event
from bandstand.events.registry import Consumer
from bandstand.service.contracts import unreadable_events


class OrderPlaced(Event, name="shop.order_placed.v1"):
    """What the consumer of these tests reads."""

    order_id: UUID
    total: int


def on_order_placed(event: OrderPlaced, _: Envelope) -> None:
    """Read the event."""


def promised(folder: Path, **properties: dict[str, Any]) -> Path:
    """Commit the publisher's schema."""
    (folder / "events").mkdir()
    schema = {"type": "object", "properties": properties, "required": sorted(properties)}
    (folder / "events" / "shop.order_placed.v1.json").write_text(json.dumps(schema))
    return folder


CONSUMER = Consumer(name="on_order_placed", event=OrderPlaced, handler=on_order_placed)
UUID_TEXT = {"type": "string", "format": "uuid"}


def test_a_promise_with_more_fields_is_kept(tmp_path: Path) -> None:
    folder = promised(tmp_path, order_id=UUID_TEXT, total={"type": "integer"}, note={"type": "string"})
    assert list(unreadable_events(folder, [CONSUMER])) == []


def test_a_renamed_field_names_the_consumer_by_file_and_line(tmp_path: Path) -> None:
    (drift,) = unreadable_events(promised(tmp_path, order_id=UUID_TEXT, amount={"type": "integer"}), [CONSUMER])
    assert drift.what == "shop.order_placed.v1: field 'total' is not published"
    line = on_order_placed.__code__.co_firstlineno
    assert drift.where.endswith(f"test_contracts.py:{line}")


def test_a_field_of_another_type_is_told(tmp_path: Path) -> None:
    (drift,) = unreadable_events(promised(tmp_path, order_id=UUID_TEXT, total={"type": "string"}), [CONSUMER])
    assert "published as string, read as integer" in drift.what


def test_an_event_that_nobody_publishes_is_told(tmp_path: Path) -> None:
    (drift,) = unreadable_events(tmp_path, [CONSUMER])
    assert "which nobody publishes" in drift.what
