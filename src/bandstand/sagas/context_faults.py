"""What makes a dataclass unfit for a saga context: found when the service starts, not when a saga crashes."""

import collections.abc
import dataclasses
import re
from collections.abc import Iterator
from typing import Any, get_origin

import msgspec
from msgspec import inspect

from bandstand.sagas.contexts import ContextField, form_of, hints_within, types_within
from bandstand.sagas.sealing import key_fault

__all__ = ["faults_of"]

_MONEY = re.compile(
    r"amount|balance|charge|cost|discount|fee|fare|paid|price|refund|revenue|salary|sum|tax|total", re.IGNORECASE
)
_KEYS = (
    inspect.StrType,
    inspect.IntType,
    inspect.UUIDType,
    inspect.DecimalType,
    inspect.DateType,
    inspect.DateTimeType,
    inspect.TimeDeltaType,
    inspect.EnumType,
    inspect.LiteralType,
)
_ABSTRACT = {
    collections.abc.Collection: "list or tuple",
    collections.abc.Mapping: "dict",
    collections.abc.MutableMapping: "dict",
    collections.abc.MutableSequence: "list",
    collections.abc.MutableSet: "set",
    collections.abc.Sequence: "list or tuple",
    collections.abc.Set: "frozenset",
}


def faults_of(shape: type[Any]) -> list[str]:
    """Every reason why *shape* is no sound context, one sentence each; empty when it is one."""
    try:
        form = form_of(shape)
    except (TypeError, NameError) as error:
        return [str(error)]
    faults = [] if _is_frozen(shape) else [f"{shape.__qualname__} is not frozen: write @dataclass(frozen=True)"]
    for field in form.fields.values():
        faults += [f"{field.shape}.{field.name} {fault}" for fault in dict.fromkeys(_faults(field, shape))]
    missing = key_fault() if form.sensitive else ""
    if missing:
        faults.append(f"{shape.__qualname__} has sensitive fields: {missing}")
    return faults


def _is_frozen(shape: type[Any]) -> bool:
    return bool(shape.__dataclass_params__.frozen)


def _faults(field: ContextField, shape: type[Any]) -> Iterator[str]:
    for part in types_within(inspect.type_info(field.hint)):
        yield from _of_type(part, field.name)
    for hint in hints_within(field.hint):
        concrete = _ABSTRACT.get(get_origin(hint) or hint)
        if concrete:
            yield f"has an abstract type, which comes back as another: write {concrete}"
    yield from _of_default(field, shape)


def _of_type(part: "inspect.Type", name: str) -> Iterator[str]:
    if isinstance(part, inspect.FloatType):
        what = "is money in a float" if _MONEY.search(name) else "is a float, which is not exact"
        yield f"{what}: use int in minor units, or Decimal"
    if isinstance(part, inspect.AnyType):
        yield "can be anything, so its types would be lost: say what it holds, of its items too"
    if isinstance(part, inspect.CustomType | inspect.RawType | inspect.MemoryViewType):
        kind = getattr(part, "cls", type(part))
        yield f"has a type without a JSON form: {kind.__qualname__}"
    if isinstance(part, inspect.DictType) and not _fits_as_key(part.key_type):
        yield "is a dict whose keys have no JSON form: use text, int, UUID, Decimal, date, datetime or an enum"
    for inner in getattr(part, "fields", ()):
        if isinstance(inner.type, inspect.FloatType) and _MONEY.search(inner.name):
            yield f"holds {inner.name}, which is money in a float: use int in minor units, or Decimal"


def _fits_as_key(key: "inspect.Type") -> bool:
    if isinstance(key, inspect.Metadata):
        return _fits_as_key(key.type)
    return isinstance(key, _KEYS)


def _of_default(field: ContextField, shape: type[Any]) -> Iterator[str]:
    declared = next(one for one in dataclasses.fields(shape) if one.name == field.name)
    default: Any = declared.default
    if declared.default_factory is not dataclasses.MISSING:
        default = declared.default_factory()
        if default != declared.default_factory():
            yield "has a default that differs each time: a saga begun before the field existed would see many"
    if default is dataclasses.MISSING:
        return
    try:
        read = field.decoder.decode(field.write(default))
    except (TypeError, ValueError, msgspec.MsgspecError):
        yield "has a default that does not fit its type"
        return
    if read != default:
        yield "has a default that does not come back as it is"
