"""Strict JSON, for REST framework and for plain views alike.

What two readers could understand differently is refused: duplicate keys, deep nesting, integers beyond 64 bits, NaN,
NUL, lone surrogates, a byte-order mark, another charset. The same bytes therefore mean the same thing everywhere.
"""

import re
from typing import Any, TypeVar, overload

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

from bandstand.errors import PayloadTooLarge, UnsupportedMediaType, ValidationFailed
from bandstand.web.config import web_settings

__all__ = ["LARGEST_INTEGER", "SMALLEST_INTEGER", "StrictJSONParser", "check_media_type", "parse_json", "read_json"]

T = TypeVar("T")

SMALLEST_INTEGER, LARGEST_INTEGER = -(2**63), 2**63 - 1

_decode = msgspec.json.Decoder().decode
# Possessive, so that an unterminated string costs one pass and no backtracking.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[{]|[\]}]")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_MEDIA_TYPE = re.compile(r'\s*application/json\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?;?\s*', re.IGNORECASE | re.ASCII)


@overload
def parse_json(body: bytes) -> Any: ...
@overload
def parse_json(body: bytes, *, into: type[T]) -> T: ...
def parse_json(body: bytes, *, into: Any = None) -> Any:
    """Read *body*, or raise ValidationFailed; *into* is a msgspec type that the value must fit without coercion."""
    if not body:
        raise ValidationFailed("A JSON body is required.")
    if body.count(b"[") + body.count(b"{") > (limit := web_settings().json_depth):
        _check_depth(body, limit)
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValidationFailed("The body is not valid JSON.") from error
    keys = _check_values(value)
    # Outside strings a colon follows each key; a decoder that keeps the last of two shows fewer keys than colons.
    if keys != body.count(b":") and keys != _STRING.sub(b"", body).count(b":"):
        raise ValidationFailed("The body names a key twice.")
    return value if into is None else _converted(value, into)


def read_json(request: HttpRequest, *, into: type[T]) -> T:
    """Read the JSON body of a plain Django request; raises what a caller may see: 400, 413, 415."""
    check_media_type(request.META.get("CONTENT_TYPE"), encoding=request.META.get("HTTP_CONTENT_ENCODING"))
    try:
        body = request.body
    except RequestDataTooBig as error:
        raise PayloadTooLarge from error
    except UnreadablePostError as error:
        raise ValidationFailed("The body ended early.") from error
    if len(body) > web_settings().body_limit_bytes:
        raise PayloadTooLarge
    return parse_json(body, into=into)


def check_media_type(content_type: str | None, *, encoding: str | None = None) -> None:
    """Raise UnsupportedMediaType unless the body is plain JSON in UTF-8."""
    if content_type != "application/json" and not _MEDIA_TYPE.fullmatch(content_type or ""):
        raise UnsupportedMediaType
    if encoding and encoding.strip().lower() != "identity":
        raise UnsupportedMediaType("Encoded bodies are not read here.")


class StrictJSONParser:
    """REST framework's parser: the same rules."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: dict[str, Any] | None = None) -> Any:
        """Read the body of the request being parsed."""
        request = (parser_context or {}).get("request")
        check_media_type(media_type, encoding=request.META.get("HTTP_CONTENT_ENCODING") if request else None)
        limit = web_settings().body_limit_bytes
        try:
            body = stream.read(limit + 1)
        except RequestDataTooBig as error:
            raise PayloadTooLarge from error
        except UnreadablePostError as error:
            raise ValidationFailed("The body ended early.") from error
        if len(body) > limit:
            raise PayloadTooLarge
        return parse_json(body)


def _check_depth(body: bytes, limit: int) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        if depth > limit:
            raise ValidationFailed(f"The body is nested deeper than {limit} levels.")


def _check_values(value: Any) -> int:
    """Refuse what no database column and no other reader would take; return how many keys the value has."""
    keys = 0
    open_values = [value]
    while open_values:
        value = open_values.pop()
        kind = type(value)
        if kind is dict:
            keys += len(value)
            open_values.extend(value)
            open_values.extend(value.values())
        elif kind is list:
            open_values.extend(value)
        elif kind is str:
            if "\0" in value:
                raise ValidationFailed("The body holds a NUL character.")
        elif kind is int and not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            raise ValidationFailed("The body holds an integer beyond 64 bits.")
    return keys


def _converted(value: Any, into: Any) -> Any:
    try:
        return msgspec.convert(value, type=into)
    except msgspec.ValidationError as error:
        message = str(error)
        match = _PATH.search(message)
        path = re.sub(r"\[(\d+)\]", r".\1", match[1]).strip(".") if match else ""
        raise ValidationFailed(field_errors={path: [_PATH.sub("", message)[:200]]}) from error
