"""Query strings, declared as msgspec structs and read without coercion beyond their declared type.

class OrdersQuery(msgspec.Struct, frozen=True, kw_only=True):
    status: Literal["pending", "confirmed"] | None = None
    min_price: Annotated[int, msgspec.Meta(ge=0)] | None = None
    featured: bool | None = None
"""

import re
import types
from collections.abc import Collection
from functools import lru_cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from django.http import QueryDict

from bandstand.errors import ValidationFailed
from bandstand.web.parsers import LARGEST_INTEGER, SMALLEST_INTEGER

__all__ = ["NoQuery", "read_integer", "read_query"]

T = TypeVar("T", bound=msgspec.Struct)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_LONGEST = 1000
_BOOLEANS = {"true": True, "false": False}


class NoQuery(msgspec.Struct, frozen=True, kw_only=True):
    """No query parameters at all: what an endpoint has that declares none."""


def read_query(query: QueryDict, *, into: type[T], besides: Collection[str] = ()) -> T:
    """Read *query* into the struct *into*; names in *besides* belong to somebody else (the paginator).

    Raises ValidationFailed naming every unknown, repeated or ill-typed parameter at once.
    """
    kinds = _kinds(into)
    faults: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for name, given in query.lists():
        if name in besides:
            if len(given) > 1:
                faults[name] = ["Given more than once."]
            continue
        if name not in kinds:
            faults[name[:64]] = ["Unknown query parameter."]
            continue
        try:
            values[name] = _value(given, kinds[name])
        except ValueError as error:
            faults[name] = [str(error)]
    if faults:
        raise ValidationFailed("The query is not valid.", field_errors=faults, **{"in": "query"})
    return _converted(values, into)


def read_integer(text: str) -> int:
    """A decimal integer of 64 bits in ASCII digits, without plus, spaces or leading zeros; else ValueError."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("Expected an integer.")
    number = int(text)
    if not SMALLEST_INTEGER <= number <= LARGEST_INTEGER:
        raise ValueError("The integer is out of range.")
    return number


def _value(given: list[str], kind: type) -> Any:
    if len(given) > 1:
        raise ValueError("Given more than once.")
    text = given[0]
    if len(text) > _LONGEST:
        raise ValueError(f"Longer than {_LONGEST} characters.")
    if "\0" in text:
        raise ValueError("Holds a NUL character.")
    if kind is int:
        return read_integer(text)
    if kind is bool:
        if text not in _BOOLEANS:
            raise ValueError("Expected true or false.")
        return _BOOLEANS[text]
    return text


@lru_cache(maxsize=256)
def _kinds(cls: type[msgspec.Struct]) -> dict[str, type]:
    return {name: _kind(hint) for name, hint in get_type_hints(cls, include_extras=True).items()}


def _kind(hint: Any) -> type:
    """What the text must be turned into before the struct judges it: `int`, `bool`, or text as it is."""
    if get_origin(hint) is Annotated:
        return _kind(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return _kind(next(arg for arg in get_args(hint) if arg is not types.NoneType))
    return hint if hint in (int, bool) else str


def _converted(values: dict[str, Any], into: type[T]) -> T:
    try:
        return msgspec.convert(values, type=into)
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at `$.")
        faults = {place.rstrip("`"): [sentence[:200]]}
        raise ValidationFailed("The query is not valid.", field_errors=faults, **{"in": "query"}) from error
