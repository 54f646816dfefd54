"""The documents a service is held to: its OpenAPI document, the schemas of its events, what its consumers read."""

import json
from typing import Any

import yaml

from bandstand.config import identity
from bandstand.events.contracts import schema_of
from bandstand.events.readers import reader
from bandstand.events.registry import consumers, published
from bandstand.service.promises import Facts
from bandstand.web.openapi import document

__all__ = ["facts"]


def facts() -> Facts:
    """What this service promises and reads, with the documents that say so."""
    name = identity().name
    events = {event.event_name: schema_of(event) for event in published()}
    schemas = {f"events/{event}.json": _pretty(schema) for event, schema in events.items()}
    return Facts(
        service=name,
        documents={f"openapi/{name}.yaml": _yaml(document()), **schemas},
        events=events,
        readers=[reader(each) for each in consumers()],
    )


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
