"""AsyncAPI 3.0 documents: which events a service, or the fleet, sends and receives, with what in them.

Events travel as CloudEvents in structured mode: the attributes stand in the payload, beside `data`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bandstand.events.compatibility import Schema
from bandstand.events.readers import Reader

__all__ = ["asyncapi_document"]

_TEXT = {"type": "string"}
_CLOUD_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "The attributes of CloudEvents 1.0 with its extensions for sequence and tracing, and ours.",
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "format": "uuid", "description": "The same on every delivery of the event."},
        "source": {**_TEXT, "description": "The service that publishes."},
        "type": {**_TEXT, "description": "The event's name and version."},
        "subject": {**_TEXT, "description": "The aggregate: order holds among the events of one."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "sequence": {"type": "string", "pattern": "^[0-9]+$", "description": "Grows strictly within a subject."},
        "correlationid": _TEXT,
        "causationid": {**_TEXT, "description": "The event whose handling caused this one."},
        "traceparent": _TEXT,
        "data": {"type": "object"},
    },
    "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
}
_TRAIT = {
    "contentType": "application/cloudevents+json",
    "correlationId": {"location": "$message.payload#/correlationid"},
}


def asyncapi_document(title: str, events: Mapping[str, Schema], readers: Iterable[Reader]) -> dict[str, Any]:
    """Describe the *events* that are published and what *readers* receive.

    A message has its publisher's schema where that is among *events*, and otherwise what its readers need of it.
    """
    reading = list(readers)
    names = sorted({*events, *(type_ for each in reading for type_ in each.types)})
    schemas: dict[str, Any] = {"CloudEvent": _CLOUD_EVENT}
    for name in names:
        _add_schemas(schemas, name, events, reading)
    operations = {f"send.{name}": _operation("send", name, _note(events[name])) for name in sorted(events)}
    for each in reading:
        for type_ in each.types:
            key = f"receive.{each.consumer}" + ("" if type_ == each.event else f".{type_.rpartition('.')[2]}")
            operations[key] = _operation("receive", type_, each.summary)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": "1"},
        "defaultContentType": "application/cloudevents+json",
        "channels": {name: _channel(name) for name in names},
        "operations": operations,
        "components": {
            "messages": {name: _message(name, events) for name in names},
            "messageTraits": {"cloudEvent": _TRAIT},
            "schemas": schemas,
        },
    }


def _channel(name: str) -> dict[str, Any]:
    return {"address": name, "messages": {name: {"$ref": f"#/components/messages/{name}"}}}


def _operation(action: str, name: str, summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{name}"},
        **({"summary": summary} if summary else {}),
        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
    }


def _message(name: str, events: Mapping[str, Schema]) -> dict[str, Any]:
    note = _note(events[name]) if name in events else ""
    data = {"type": {"const": name}, "data": {"$ref": f"#/components/schemas/{name}"}}
    return {
        "name": name,
        **({"summary": note} if note else {}),
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"allOf": [{"$ref": "#/components/schemas/CloudEvent"}, {"type": "object", "properties": data}]},
    }


def _add_schemas(schemas: dict[str, Any], name: str, events: Mapping[str, Schema], readers: Iterable[Reader]) -> None:
    if name in events:
        schemas[name] = _moved(events[name], name, schemas)
        return
    found: list[Schema] = []
    for each in readers:
        if each.event == name and each.schema not in found:
            found.append(each.schema)
    if len(found) == 1:
        schemas[name] = _moved(found[0], name, schemas)
    else:  # of an older version only its upcaster knows what is in it
        parts = [_moved(each, f"{name}.{number}", schemas) for number, each in enumerate(found, 1)]
        schemas[name] = {"allOf": parts} if parts else {"type": "object"}


def _moved(schema: Schema, name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """A schema whose definitions stand among the components, where AsyncAPI looks for them."""
    for inner, definition in schema.get("$defs", {}).items():
        schemas[f"{name}.{inner}"] = _pointed(definition, name)
    moved: dict[str, Any] = _pointed({key: value for key, value in schema.items() if not key.startswith("$")}, name)
    return moved


def _pointed(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_pointed(item, name) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: f"#/components/schemas/{name}.{item.rpartition('/')[2]}" if key == "$ref" else _pointed(item, name)
        for key, item in value.items()
    }


def _note(schema: Schema) -> str:
    return str(schema.get("description", "")).partition("\n")[0]
