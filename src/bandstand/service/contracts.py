"""The documents a service is held to: its OpenAPI document, the schemas of its events, what its consumers read.

They are generated, committed and compared; a consumer is checked against the committed schema of the service that
publishes the event, field by field.
"""

import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bandstand.config import identity
from bandstand.events import Consumer, Event
from bandstand.events.registry import consumers, published
from bandstand.web.openapi import document

__all__ = ["Drift", "compare", "documents", "unreadable_events", "write"]

CONSUMERS = Path("consumers.json")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One disagreement between the code and the committed contracts."""

    where: str
    what: str
    remedy: str = "run `bandstand contracts write` and commit the result"

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


def documents(folder: Path) -> dict[Path, str]:
    """Generate this service's documents, by their path below *folder*."""
    generated = {Path("openapi") / f"{identity().name}.yaml": _yaml(document())}
    for event in published():
        generated[Path("events") / f"{event.event_name}.json"] = _pretty(_schema(event))
    generated[CONSUMERS] = _pretty(_consumers_beside(folder))
    return generated


def write(folder: Path) -> list[Path]:
    """Write the documents below *folder* and remove event schemas this service no longer publishes."""
    generated = documents(folder)
    for path, text in generated.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for path in _orphans(folder, generated):
        (folder / path).unlink()
    return sorted(generated)


def compare(folder: Path) -> list[Drift]:
    """Tell where the committed documents and the code disagree."""
    generated = documents(folder)
    drifts = [
        Drift(where=str(folder / path), what="is missing" if not (folder / path).is_file() else "is out of date")
        for path, text in sorted(generated.items())
        if not (folder / path).is_file() or (folder / path).read_text(encoding="utf-8") != text
    ]
    drifts += [Drift(where=str(folder / path), what="is published by nobody") for path in _orphans(folder, generated)]
    return [*drifts, *unreadable_events(folder, consumers())]


def unreadable_events(folder: Path, consuming: Iterable[Consumer]) -> Iterator[Drift]:
    """Tell which fields consumers read that the publisher does not promise, with file and line."""
    for consumer in consuming:
        path = folder / "events" / f"{consumer.event.event_name}.json"
        if not path.is_file():
            yield Drift(where=_source(consumer), what=f"consumes {consumer.event.event_name}, which nobody publishes")
            continue
        promised = json.loads(path.read_text(encoding="utf-8"))
        for problem in _misfits(_schema(consumer.event), promised):
            remedy = "declare only fields the publisher promises, or have it publish a new version"
            yield Drift(where=_source(consumer), what=f"{consumer.event.event_name}: {problem}", remedy=remedy)


def _misfits(read: dict[str, Any], promised: dict[str, Any]) -> Iterator[str]:
    promised_fields, required = promised.get("properties", {}), set(promised.get("required", ()))
    for field, schema in read.get("properties", {}).items():
        if field not in promised_fields:
            yield f"field {field!r} is not published"
        elif _shape(promised_fields[field], promised) != _shape(schema, read):
            yield f"field {field!r} is published as {_type(promised_fields[field])}, read as {_type(schema)}"
        elif field in read.get("required", ()) and field not in required:
            yield f"field {field!r} is read as required but published as optional"


def _type(schema: dict[str, Any]) -> str:
    return str(schema.get("format") or schema.get("type") or "an object")


def _shape(schema: Any, document: dict[str, Any]) -> Any:
    """A schema with its references followed and its names taken off, so that two classes can be compared."""
    if isinstance(schema, list):
        return [_shape(item, document) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _shape(document["$defs"][schema["$ref"].rpartition("/")[2]], document)
    return {key: _shape(value, document) for key, value in schema.items() if key not in ("title", "description")}


def _schema(event: type[Event]) -> dict[str, Any]:
    (root,), definitions = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    own = definitions.pop(root["$ref"].rpartition("/")[2])
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": event.event_name, **own}
    return schema | ({"$defs": definitions} if definitions else {})


def _consumers_beside(folder: Path) -> dict[str, list[str]]:
    """What everybody consumes: the committed lines of the other services beside the generated ones of this one."""
    path, own = folder / CONSUMERS, f"{identity().name}."
    committed = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kept = {consumer: types for consumer, types in committed.items() if not consumer.startswith(own)}
    return dict(sorted((kept | {consumer.id: [consumer.event.event_name] for consumer in consumers()}).items()))


def _orphans(folder: Path, generated: dict[Path, str]) -> list[Path]:
    own = (folder / "events").glob(f"{identity().name}.*.json")
    return sorted(path.relative_to(folder) for path in own if path.relative_to(folder) not in generated)


def _source(consumer: Consumer) -> str:
    code = inspect.unwrap(consumer.handler).__code__
    return f"{_relative(code.co_filename)}:{code.co_firstlineno}"


def _relative(file: str) -> str:
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
