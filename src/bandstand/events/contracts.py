"""The contract of an event: the JSON schema of its data, written to `contracts/events/` and compared there."""

from typing import Any

import msgspec

from bandstand.events.declaration import Event

__all__ = ["schema_of"]


def schema_of(event: type[Event]) -> dict[str, Any]:
    """The JSON schema (2020-12) of the event's data. Unknown fields are allowed: additions are no new version."""
    (body,), definitions = msgspec.json.schema_components([event])
    name = body["$ref"].rpartition("/")[2]
    own = definitions.pop(name)
    own.pop("title", None)
    described = (event.__doc__ or "").strip()
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": event.event_name,
        "title": event.__name__,
        # dataclass() writes the signature where there is no docstring
        "description": "" if described.startswith(f"{event.__name__}(") else described,
        **{key: value for key, value in own.items() if key != "description"},
    }
    if event.subject_field:
        schema["x-subject"] = event.subject_field
    if definitions:
        schema["$defs"] = definitions
    relocated: dict[str, Any] = _relocated(schema)
    return relocated


def _relocated(value: Any) -> Any:
    """Point references at `$defs` of this document."""
    if isinstance(value, dict):
        return {
            key: f"#/$defs/{item.rpartition('/')[2]}" if key == "$ref" else _relocated(item)
            for key, item in value.items()
        }
    return [_relocated(item) for item in value] if isinstance(value, list) else value
