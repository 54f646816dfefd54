"""Whether events of one schema can be read by another: pure, field by field.

Two directions make a version's evolution safe: consumers of the old promise must read what is published from now on,
and whoever holds the new class must read the events published before. So within a version only additions are left.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Change", "Misfit", "Schema", "evolution", "misfits", "paths"]

Schema = Mapping[str, Any]

_NOTES = {"title", "description", "default", "examples", "deprecated", "$schema", "$id", "$defs", "x-subject"}
_STRUCTURE = {"type", "properties", "required", "items", "prefixItems", "additionalProperties", "enum", "anyOf"}
_AT_LEAST = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_AT_MOST = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_OF_PYTHON = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


class Kind(StrEnum):
    """How a field fails its reader."""

    ABSENT = "absent"
    OPTIONAL = "optional"
    TYPE = "type"


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """A field that cannot be read as it is wanted. `field` is a path: `total.amount`, `lines[].sku`."""

    field: str
    kind: Kind
    given: str
    wanted: str

    def __str__(self) -> str:
        match self.kind:
            case Kind.ABSENT:
                return f"field {self.field!r} is not published"
            case Kind.OPTIONAL:
                return f"field {self.field!r} is read as required but published as optional"
        return f"field {self.field!r} is published as {self.given}, read as {self.wanted}"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One incompatible change of an event within its version."""

    field: str
    what: str
    concerns_all: bool = False
    """Whether consumers that do not read the field are broken as well."""


def misfits(given: Schema, wanted: Schema, *, may_lack: bool = False) -> list[Misfit]:
    """Name what keeps events of the schema *given* from being read by *wanted*.

    With *may_lack*, optional fields of *wanted* may be unknown to *given*: they were added later.
    """
    return list(dict.fromkeys(_Comparison(given, wanted, may_lack=may_lack).run(given, wanted, "")))


def evolution(old: Schema, new: Schema) -> list[Change]:
    """Name what makes *new* incompatible with *old*, the committed schema of the same version."""
    ahead = {each.field: each for each in misfits(new, old)}
    back = {each.field: each for each in misfits(old, new, may_lack=True)}
    found = [
        Change(field=field, what=_change(ahead.get(field), back.get(field), _added(old, new, beside=field)))
        for field in sorted({*ahead, *back})
        if not _is_new_name(field, ahead, back)
    ]
    before, after = old.get("x-subject"), new.get("x-subject")
    if before and before != after:  # contracts of the first release named no subject
        found.append(Change(field=before, what=f"is the subject no longer, but {after!r}", concerns_all=True))
    return found


def paths(schema: Schema) -> list[str]:
    """Every field of a schema by its path, those of nested objects after the object."""
    return list(dict.fromkeys(_paths(schema, schema, "", ())))


def _change(ahead: Misfit | None, back: Misfit | None, added: list[str]) -> str:
    if ahead is None:
        assert back is not None  # noqa: S101 - one of both is there
        if back.kind is Kind.TYPE:
            return f"narrowed from {back.given} to {back.wanted}: events already published need not fit"
        return "is required, but events already published lack it"
    if ahead.kind is Kind.ABSENT:
        return f"was removed; is {added[0]!r} its new name?" if len(added) == 1 else "was removed"
    if ahead.kind is Kind.OPTIONAL:
        return "was in every event and may now be absent"
    if back is None:
        return f"widened from {ahead.wanted} to {ahead.given}: consumers were never promised that"
    return f"changed from {ahead.wanted} to {ahead.given}"


def _added(old: Schema, new: Schema, *, beside: str) -> list[str]:
    """What the object that *beside* belongs to has got."""
    known, around = set(paths(old)), beside.rpartition(".")[0]
    return [path for path in paths(new) if path not in known and path.rpartition(".")[0] == around]


def _is_new_name(field: str, ahead: Mapping[str, Misfit], back: Mapping[str, Misfit]) -> bool:
    """Whether *field* is the new name of a removed one, which is told already."""
    gone = [each for each in ahead.values() if each.kind is Kind.ABSENT]
    fresh = [each for each in back.values() if each.kind is Kind.ABSENT]
    return len(gone) == len(fresh) == 1 and fresh[0].field == field


class _Comparison:
    def __init__(self, given: Schema, wanted: Schema, *, may_lack: bool) -> None:
        self._given = given
        self._wanted = wanted
        self._may_lack = may_lack
        self._under_way: set[tuple[int, int]] = set()

    def run(self, given: Schema, wanted: Schema, path: str) -> Iterator[Misfit]:
        """Compare two schemas; each alternative of *given* needs one of *wanted* that takes it."""
        pair = (id(_resolved(given, self._given)), id(_resolved(wanted, self._wanted)))
        if pair in self._under_way:  # a recursive type: its fields are being compared further up
            return
        self._under_way.add(pair)
        try:
            for one in _alternatives(given, self._given):
                for found in self._one_of(one, _alternatives(wanted, self._wanted), path):
                    is_whole = found.field == path and found.kind is Kind.TYPE
                    yield self._type(given, wanted, path) if is_whole else found
        finally:
            self._under_way.discard(pair)

    def _one_of(self, given: Schema, wanted: list[Schema], path: str) -> Iterator[Misfit]:
        found = [list(self._pair(given, each, path)) for each in wanted]
        if not all(found):
            return
        related = [each for each, one in zip(found, wanted, strict=True) if one.get("type") == given.get("type")]
        yield from related[0] if len(related) == 1 else [self._type(given, {"anyOf": wanted}, path)]

    def _pair(self, given: Schema, wanted: Schema, path: str) -> Iterator[Misfit]:
        if not wanted.keys() - _NOTES:
            return
        if not _takes(given, wanted):
            yield self._type(given, wanted, path)
        elif wanted.get("type") == "object":
            yield from self._objects(given, wanted, path)
        elif wanted.get("type") == "array":
            yield from self._arrays(given, wanted, path)

    def _objects(self, given: Schema, wanted: Schema, path: str) -> Iterator[Misfit]:
        has = given.get("properties", {})
        for name, schema in wanted.get("properties", {}).items():
            yield from self._field(name, given, wanted, path, schema)
        rest = wanted.get("additionalProperties", True)
        if rest is True:
            return
        if "additionalProperties" not in given:  # fields may be added to it, of any type
            yield self._type(given, wanted, path)
            return
        for schema in [*has.values(), given["additionalProperties"]]:
            yield from self.run(schema, rest, f"{path}{{}}")

    def _field(self, name: str, given: Schema, wanted: Schema, path: str, schema: Schema) -> Iterator[Misfit]:
        inner = f"{path}.{name}" if path else name
        has = given.get("properties", {})
        is_required = name in wanted.get("required", ())
        if name in has:
            if is_required and name not in given.get("required", ()):
                yield self._misfit(inner, Kind.OPTIONAL, has[name], schema)
            yield from self.run(has[name], schema, inner)
        elif is_required or not self._may_lack:
            yield Misfit(field=inner, kind=Kind.ABSENT, given="", wanted=_described(schema, self._wanted))

    def _arrays(self, given: Schema, wanted: Schema, path: str) -> Iterator[Misfit]:
        places = given.get("prefixItems", [])
        expected = wanted.get("prefixItems", [])
        if len(expected) > len(places):
            yield self._type(given, wanted, path)
            return
        rest = wanted.get("items", {})
        for index, schema in enumerate(places):
            yield from self._item(schema, expected[index] if index < len(expected) else rest, f"{path}[{index}]")
        yield from self._item(given.get("items", {}), rest, f"{path}[]")

    def _item(self, given: Any, wanted: Any, path: str) -> Iterator[Misfit]:
        if given is False:
            return
        if wanted is False:
            yield Misfit(field=path, kind=Kind.TYPE, given=_described(given, self._given), wanted="nothing")
            return
        yield from self.run(given, wanted, path)

    def _type(self, given: Schema, wanted: Schema, path: str) -> Misfit:
        return self._misfit(path, Kind.TYPE, given, wanted)

    def _misfit(self, path: str, kind: Kind, given: Schema, wanted: Schema) -> Misfit:
        there, here = _described(given, self._given), _described(wanted, self._wanted)
        return Misfit(field=path, kind=kind, given=there, wanted=here)


def _takes(given: Schema, wanted: Schema) -> bool:
    """Whether *wanted* takes every value of *given*, what lies inside objects and arrays aside."""
    if "enum" in given:
        return all(_takes_value(value, wanted) for value in given["enum"])
    if "enum" in wanted or "type" not in given:
        return False
    if given["type"] != wanted["type"] and (given["type"], wanted["type"]) != ("integer", "number"):
        return False
    return all(_is_kept(word, given.get(word), wanted[word]) for word in wanted.keys() - _NOTES - _STRUCTURE)


def _takes_value(value: Any, wanted: Schema) -> bool:
    if "enum" in wanted:
        return any(type(value) is type(each) and value == each for each in wanted["enum"])
    return wanted.keys() - _NOTES == {"type"} and _OF_PYTHON.get(type(value)) == wanted["type"]


def _is_kept(word: str, given: Any, wanted: Any) -> bool:
    if word in _AT_LEAST:
        return given is not None and bool(given >= wanted)
    if word in _AT_MOST:
        return given is not None and bool(given <= wanted)
    return bool(given == wanted)


def _resolved(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        schema = document["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _alternatives(schema: Schema, document: Schema) -> list[Schema]:
    found = _resolved(schema, document)
    if "anyOf" in found:
        return [each for option in found["anyOf"] for each in _alternatives(option, document)]
    return [found]


def _described(schema: Schema, document: Schema) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(repr(value) for value in schema["enum"])
    names = [_name(each, document) for each in _alternatives(schema, document)]
    return " or ".join(dict.fromkeys(names))


def _name(schema: Schema, document: Schema) -> str:
    if "enum" in schema:
        return _described(schema, document)
    if isinstance(schema.get("items"), Mapping) and schema["items"]:
        return f"array of {_described(schema['items'], document)}"
    bounds = [f"{word} {schema[word]}" for word in sorted(schema.keys() - _NOTES - _STRUCTURE - {"format"})]
    return " ".join([str(schema.get("format") or schema.get("type") or "anything"), *bounds])


def _paths(schema: Schema, document: Schema, path: str, above: tuple[int, ...]) -> Iterator[str]:
    for each in _alternatives(schema, document):
        if id(each) in above:
            continue
        inside = (*above, id(each))
        for name, inner in each.get("properties", {}).items():
            here = f"{path}.{name}" if path else name
            yield here
            yield from _paths(inner, document, here, inside)
        for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(each.get(word), Mapping):
                yield from _paths(each[word], document, f"{path}{mark}", inside)
        for index, inner in enumerate(each.get("prefixItems", ())):
            yield from _paths(inner, document, f"{path}[{index}]", inside)
