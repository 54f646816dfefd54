"""What services promise one another, held against the committed documents: pure but for reading the folder.

The facts come from the services themselves, each from a process of its own; see `bandstand.service.contracts`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bandstand.events.asyncapi import asyncapi_document
from bandstand.events.compatibility import Change, Schema, evolution, misfits
from bandstand.events.readers import Reader

__all__ = ["Break", "Drift", "Facts", "Reading", "Review", "asyncapi", "review", "write"]

CONSUMERS = Path("consumers.json")
ASYNCAPI = Path("asyncapi")
_WRITE = "run `bandstand contracts write` and commit the result"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What one service promises and reads, as its code has it."""

    service: str
    documents: dict[str, str]
    """Generated documents by their path below the folder of contracts."""
    events: Mapping[str, Schema]
    readers: list[Reader]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A consumer and where it reads: the line of the field, where one is meant, and that of the handler."""

    consumer: str
    handler: str
    field: str | None = None

    def __str__(self) -> str:
        if self.field:
            return f"{self.consumer} reads it at {self.field}, handler {self.handler}"
        return f"{self.consumer} consumes it at {self.handler}"


@dataclass(frozen=True, kw_only=True)
class Break:
    """A promise that the code no longer keeps, or a wish that nobody promised; and whom it breaks."""

    event: str
    field: str
    what: str
    readers: list[Reading]

    def __str__(self) -> str:
        named = f"{self.event}: field {self.field!r}" if self.field else self.event
        whom = [str(each) for each in self.readers] or ["no known consumer reads it"]
        return "\n    ".join([f"{named} {self.what}", *whom])


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A document that is not what the code would generate."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; {_WRITE}"


@dataclass(frozen=True, kw_only=True)
class Review:
    """The state of the contracts. What is `broken` needs a new version of the event, what `misreads` another reader."""

    broken: list[Break]
    misreads: list[Break]
    drifts: list[Drift]

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing to say."""
        return not (self.broken or self.misreads or self.drifts)


def asyncapi(title: str, facts: Sequence[Facts]) -> str:
    """The AsyncAPI document of some services together."""
    events = {name: schema for each in facts for name, schema in each.events.items()}
    document = asyncapi_document(title, events, [reader for each in facts for reader in each.readers])
    # YAML names what occurs twice as an object; written and read again, everything occurs once.
    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False, allow_unicode=True, width=120)


def review(folder: Path, facts: Sequence[Facts], *, fleet: str = "") -> Review:
    """Hold what the services say against the documents in *folder*, those of the whole *fleet* where it is named."""
    committed = _committed_events(folder)
    readers = [reader for each in facts for reader in each.readers]
    broken = [change for each in facts for change in _broken(each, committed, readers)]
    # What a consumer reads is held against what its publisher publishes now, or has committed where it was not asked.
    promised = {**committed, **{name: schema for each in facts for name, schema in each.events.items()}}
    told = {(change.event, reading.field) for change in broken for reading in change.readers}
    misreads = [each for reader in readers for each in _misread(reader, promised, told)]
    unwritable = {f"events/{change.event}.json" for change in broken}
    return Review(
        broken=broken,
        misreads=misreads,
        drifts=list(_drifts(folder, _generated(folder, facts, fleet), facts, unwritable)),
    )


def write(folder: Path, facts: Sequence[Facts], *, fleet: str = "") -> list[Path]:
    """Write the documents below *folder* and remove event schemas that their service no longer publishes."""
    generated = _generated(folder, facts, fleet)
    for path, text in generated.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for path in _orphans(folder, facts, generated):
        (folder / path).unlink()
    return sorted(generated)


def _broken(facts: Facts, committed: Mapping[str, Schema], readers: Sequence[Reader]) -> Iterator[Break]:
    for name, old in committed.items():
        if name.partition(".")[0] != facts.service:
            continue
        of_this = [reader for reader in readers if reader.event == name]
        new = facts.events.get(name)
        if new is None:
            if of_this:
                everyone = [Reading(consumer=each.consumer, handler=each.handler) for each in of_this]
                yield Break(event=name, field="", what="is published no longer", readers=everyone)
            continue
        for change in evolution(old, new):
            yield Break(event=name, field=change.field, what=change.what, readers=list(_whom(change, name, readers)))


def _whom(change: Change, event: str, readers: Iterable[Reader]) -> Iterator[Reading]:
    """The consumers that read a field, and those whose upcaster takes the event as a whole."""
    for each in readers:
        place = each.place_of(change.field) if each.event == event else each.older.get(event)
        if place or (change.concerns_all and event in each.types):
            yield Reading(consumer=each.consumer, handler=each.handler, field=place)


def _misread(reader: Reader, promised: Mapping[str, Schema], told: set[tuple[str, str | None]]) -> Iterator[Break]:
    schema = promised.get(reader.event)
    if schema is None:
        here = Reading(consumer=reader.consumer, handler=reader.handler)
        yield Break(event=reader.event, field="", what="is published by nobody", readers=[here])
        return
    for each in misfits(schema, reader.schema):
        place = reader.place_of(each.field)
        if (reader.event, place) not in told:
            here = Reading(consumer=reader.consumer, handler=reader.handler, field=place)
            what = str(each).partition("' ")[2]
            yield Break(event=reader.event, field=each.field, what=what, readers=[here])


def _drifts(
    folder: Path, generated: Mapping[Path, str], facts: Sequence[Facts], unwritable: set[str]
) -> Iterator[Drift]:
    for path, text in sorted(generated.items()):
        if not (folder / path).is_file():
            yield Drift(path=str(path), what="is missing")
        elif str(path) not in unwritable and (folder / path).read_text(encoding="utf-8") != text:
            yield Drift(path=str(path), what="is out of date")
    for path in _orphans(folder, facts, generated):
        if str(path) not in unwritable:
            yield Drift(path=str(path), what="is published no longer")


def _generated(folder: Path, facts: Sequence[Facts], fleet: str) -> dict[Path, str]:
    documents = {Path(path): text for each in facts for path, text in each.documents.items()}
    for each in facts:
        if each.events or each.readers:
            documents[ASYNCAPI / f"{each.service}.yaml"] = asyncapi(each.service, [each])
    if fleet:
        documents[ASYNCAPI / "fleet.yaml"] = asyncapi(fleet, facts)
    return {**documents, CONSUMERS: _pretty(_consumers(folder, facts))}


def _consumers(folder: Path, facts: Sequence[Facts]) -> dict[str, list[str]]:
    """What everybody consumes: the committed lines of services that were not asked beside those of the others."""
    asked = {each.service for each in facts}
    path = folder / CONSUMERS
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    kept = {consumer: types for consumer, types in known.items() if consumer.partition(".")[0] not in asked}
    return dict(sorted({**kept, **{one.consumer: one.types for each in facts for one in each.readers}}.items()))


def _orphans(folder: Path, facts: Sequence[Facts], generated: Mapping[Path, str]) -> list[Path]:
    own = [path.relative_to(folder) for each in facts for path in (folder / "events").glob(f"{each.service}.*.json")]
    return sorted(path for path in own if path not in generated)


def _committed_events(folder: Path) -> dict[str, Schema]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("events/*.json"))}


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
