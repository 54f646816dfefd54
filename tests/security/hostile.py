"""Hostile bodies, generated from the schema of an operation's body: one thing wrong at a time."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["hostile_bodies", "sound_value"]

# Raw JSON texts: what a serializer would not even write is sent all the same.
_TEXTS = (
    "null", "true", "0", "-1", "1.9", "1e3", "1e999", "NaN", "-Infinity", "9" * 30, "2147483648",
    "9223372036854775808", "-9223372036854775809", '""', '" "', '"1"', '"\\u0661\\u0662"', '"\\u0000"', '"a\\u0000b"',
    '"\\ud800"', '"\\udc00\\ud800"',
    "[]", "[[]]", "[null]", "{}", '{"a":1}', '{"$gt":""}', '{"__proto__":{"is_staff":true}}', '"' + "x" * 10_000 + '"',
    '"\' OR 1=1 --"', '"{{7*7}}"', '"<svg/onload=alert(1)>"', '"../../etc/passwd"', '"\\u202e\\u2028\\u0085"',
    '"0001-01-01"', '"9999-99-99"', '"00000000-0000-0000-0000-000000000000"', '"tok_ok\\r\\nX: y"', "[" * 40 + "]" * 40,
)  # fmt: skip

_UNKNOWN = (
    "is_staff", "is_superuser", "roles", "role", "groups", "email_verified", "total", "user_id", "__class__", "status",
    "state", "price_minor", "$ref", "\u202e", "a" * 1000,
)  # fmt: skip


def sound_value(schema: Mapping[str, Any]) -> Any:
    """A value that *schema* allows, as far as it says."""
    for variants in ("oneOf", "anyOf", "allOf"):
        if variants in schema:
            return sound_value(schema[variants][0])
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: sound_value(each) for name, each in schema.get("properties", {}).items() if is_writable(each)}
    if kind == "array":
        return [sound_value(schema.get("items", {}))]
    return {"integer": max(1, schema.get("minimum", 1)), "number": 1, "boolean": True}.get(kind, _text(schema))


def _text(schema: Mapping[str, Any]) -> str:
    known = {
        "uuid": "01890000-0000-7000-8000-000000000000", "date": "1990-01-02", "email": "nobody@example.com",
        "date-time": "2026-01-02T03:04:05Z", "uri": "https://example.com/",
    }  # fmt: skip
    return known.get(schema.get("format", ""), "EUR" if schema.get("pattern") == "^[A-Z]{3}$" else "abcdefgh")


def is_writable(schema: Mapping[str, Any]) -> bool:
    """Whether a client may send it."""
    return not schema.get("readOnly")


def hostile_bodies(schema: Mapping[str, Any]) -> Iterator[bytes]:
    """Every body: each place of the sound one replaced by each text, left out, doubled; and with unknown fields."""
    sound = sound_value(schema)
    yield from (b"", b"[]", b"null", b"1", b'"a"', b"{", b"\xff", b"\x00")
    for place in _places(sound):
        for text in _TEXTS:
            yield _with(sound, place, text)
    for name in sound:
        yield json.dumps(sound)[:-1].encode() + f",{json.dumps(name)}:{json.dumps(sound[name])}}}".encode()
    for name in _UNKNOWN:
        yield json.dumps({**sound, name: True}).encode()


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*place, name)
        yield from _places(member, (*place, name))


def _with(value: Any, place: tuple[Any, ...], text: str) -> bytes:
    copy = json.loads(json.dumps(value))
    holder = copy
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = "@@"
    return json.dumps(copy).replace('"@@"', text, 1).encode()
