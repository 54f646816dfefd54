"""The contract of an event: the JSON schema of its data, written to `contracts/events/` and compared there."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from bandstand.events.declaration import Event

__all__ = ["schema_of"]

_FORMATS = {inspect.DateTimeType: "date-time", inspect.TimeType: "time"}


def schema_of(event: type[Event]) -> dict[str, Any]:
    """The JSON schema (2020-12) of the event's data. Unknown fields are allowed: additions are no new version."""
    (body,), definitions = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    _name_moments(body, inspect.type_info(event), definitions)
    name = body["$ref"].rpartition("/")[2]
    own = definitions.pop(name)
    if body["$ref"].encode() in msgspec.json.encode([own, definitions]):  # a recursive type
        definitions[name] = own
    described = (event.__doc__ or "").strip()
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": event.event_name,
        "title": event.__name__,
        # dataclass() writes the signature where there is no docstring
        "description": "" if described.startswith(f"{event.__name__}(") else described,
        **{key: value for key, value in own.items() if key not in {"title", "description"}},
    }
    if event.subject_field:
        schema["x-subject"] = event.subject_field
    if definitions:
        schema["$defs"] = definitions
    return schema


def _name_moments(schema: dict[str, Any], told: inspect.Type, definitions: dict[str, Any]) -> None:
    """Give moments their format. msgspec leaves it out where the zone is open, and then they look like any text."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
        if schema.setdefault("x-seen", False):
            return
        schema["x-seen"] = True
    for part, type_ in _parts(schema, told):
        _name_moments(part, type_, definitions)
    schema.pop("x-seen", None)
    if type(told) in _FORMATS:
        schema["format"] = _FORMATS[type(told)]


def _parts(schema: dict[str, Any], told: inspect.Type) -> Iterator[tuple[dict[str, Any], inspect.Type]]:
    if isinstance(told, inspect.Metadata):
        yield schema, told.type
    elif isinstance(told, inspect.DataclassType):
        yield from ((schema["properties"][field.encode_name], field.type) for field in told.fields)
    elif isinstance(told, inspect.UnionType):
        yield from zip(schema.get("anyOf", ()), told.types, strict=False)
    elif isinstance(told, inspect.TupleType):
        yield from zip(schema["prefixItems"], told.item_types, strict=True)
    elif isinstance(told, inspect.DictType) and isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"], told.value_type
    elif isinstance(told, inspect.CollectionType) and isinstance(schema.get("items"), dict):
        yield schema["items"], told.item_type
