"""Whether data fits what a consumer reads, and what does not."""

import dataclasses
from typing import Any, get_type_hints

import msgspec

from bandstand.events import registry
from bandstand.events.declaration import Event

__all__ = ["consumed_event", "fits_field", "misfits"]


def consumed_event(consumer_id: str) -> type[Event] | None:
    """The class that a consumer of this service reads; None where its code is gone."""
    return next((each.event for each in registry.consumers() if each.id == consumer_id), None)


def misfits(event: type[Event], data: bytes) -> list[str]:
    """What in *data* an event of this class cannot be made of, field by field; empty when it fits."""
    try:
        given = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        return [f"this is no JSON object: {error}"]
    try:
        event.decoded(data)
    except msgspec.DecodeError as error:
        return _by_field(event, given) or [str(error)]
    return []


def fits_field(event: type[Event], name: str, value: bytes) -> bool:
    """Whether the JSON *value* can be the field *name*; what the class does not declare fits always."""
    hints = get_type_hints(event)
    return name not in hints or not _misfit(hints[name], value)


def _by_field(event: type[Event], given: dict[str, msgspec.Raw]) -> list[str]:
    hints, found = get_type_hints(event), []
    for field in dataclasses.fields(event):  # type: ignore[arg-type]  # each subclass is made one
        if field.name in given:
            problem = _misfit(hints[field.name], given[field.name])
        else:
            problem = "it is missing" if _required(field) else ""
        found += [f"{field.name}: {problem}"] if problem else []
    return found


def _misfit(hint: Any, value: bytes | msgspec.Raw) -> str:
    try:
        msgspec.json.decode(value, type=hint)
    except msgspec.DecodeError as error:
        return str(error)
    return ""


def _required(field: "dataclasses.Field[Any]") -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
