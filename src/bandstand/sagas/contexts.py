"""The shape of a typed saga context: a frozen dataclass, its fields, and which of them are sensitive."""

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec

__all__ = [
    "ContextField",
    "ContextForm",
    "ContextMismatch",
    "ContextSealed",
    "ContextUnreadable",
    "Sensitive",
    "form_of",
    "hints_within",
    "types_within",
    "unfaithful",
]


_encode = msgspec.json.Encoder().encode


class ContextUnreadable(Exception):
    """This process cannot read a stored context: nothing is lost, another release or another key reads it."""


class ContextMismatch(ContextUnreadable):
    """A stored context does not fit the declared dataclass; the message names both, and no value."""


class ContextSealed(ContextUnreadable):
    """A sensitive value cannot be sealed or opened: its key is not configured, or it was never kept."""


@dataclass(frozen=True, slots=True)
class Sensitive:
    """Marks a field of a context: `Annotated[str, Sensitive]` or `Annotated[str, Sensitive(keep=False)]`.

    The value is stored encrypted and shown as dots. With `keep=False` the history of the saga does not hold it at all.
    """

    keep: bool = True


@dataclass(frozen=True, slots=True)
class ContextField:
    """One field: `sensitive` when marked, `floats` when its type has a float somewhere."""

    shape: str
    name: str
    hint: Any
    decoder: "msgspec.json.Decoder[Any]"
    sensitive: Sensitive | None
    floats: bool

    def write(self, value: Any) -> msgspec.Raw:
        """Give *value* as JSON that this field reads again. Raises TypeError or ValueError naming the field."""
        if type(value) not in _PLAIN and (fault := unfaithful(value, floats=self.floats)):
            raise ValueError(f"{self.shape}.{self.name}: {fault}")
        try:
            written = _encode(value)
            self.decoder.decode(written)
        except msgspec.ValidationError as error:
            raise TypeError(f"{self.shape}.{self.name}: {_problem(error)}") from None
        except UnicodeEncodeError:
            raise ValueError(f"{self.shape}.{self.name}: is no valid Unicode") from None
        except TypeError as error:
            raise TypeError(f"{self.shape}.{self.name}: {error}") from None
        return msgspec.Raw(written)


@dataclass(frozen=True, slots=True)
class ContextForm:
    """What is known of a shape: computed once a type. `checks` says whether the class checks its fields together."""

    shape: type[Any]
    fields: Mapping[str, ContextField]
    decoder: "msgspec.json.Decoder[Any]"
    sensitive: tuple[ContextField, ...]
    checks: bool

    def field(self, name: str) -> ContextField:
        """The field called *name*. Raises TypeError when there is none."""
        found = self.fields.get(name)
        if found is None:
            names = ", ".join(self.fields)
            raise TypeError(f"the context {self.shape.__qualname__} has no field {name!r}; it has: {names}")
        return found

    def read(self, text: str | bytes) -> Any:
        """Read the plain JSON *text* as an instance. Raises ContextMismatch."""
        try:
            return self.decoder.decode(text)
        except msgspec.DecodeError as error:
            raise ContextMismatch(f"the context {self.shape.__qualname__}: {self._reason(error)}") from None

    def _reason(self, error: msgspec.DecodeError) -> str:
        if error.__cause__ is not None and self.sensitive:  # the words of a __post_init__ may repeat a value
            return f"its own check raised {type(error.__cause__).__name__}"
        return _problem(error)


_forms: dict[type[Any], ContextForm] = {}


def form_of(shape: type[Any]) -> ContextForm:
    """The form of the dataclass *shape*. Raises TypeError for what cannot be a context, naming the field."""
    found = _forms.get(shape)
    if found is None:
        found = _forms[shape] = _form(shape)
    return found


def _form(shape: type[Any]) -> ContextForm:
    if not (isinstance(shape, type) and dataclasses.is_dataclass(shape)):
        raise TypeError(f"a context is a frozen dataclass, and {shape!r} is none")
    hints = get_type_hints(shape, include_extras=True)
    fields = {
        field.name: _field(shape.__qualname__, field.name, hints[field.name]) for field in dataclasses.fields(shape)
    }
    return ContextForm(
        shape=shape,
        fields=fields,
        decoder=msgspec.json.Decoder(shape),
        sensitive=tuple(field for field in fields.values() if field.sensitive),
        checks=hasattr(shape, "__post_init__"),
    )


def _field(shape: str, name: str, hint: Any) -> ContextField:
    marker, bare = _marker(hint)
    if any(_mark(note) for part in hints_within(bare) for note in getattr(part, "__metadata__", ())):
        raise TypeError(f"{shape}.{name}: Sensitive marks a whole field of the context, not a part of one")
    try:
        decoder = msgspec.json.Decoder(bare)
        types = list(types_within(msgspec.inspect.type_info(bare)))
    except TypeError as error:
        raise TypeError(f"{shape}.{name}: {error}") from None
    floats = any(isinstance(part, msgspec.inspect.FloatType) for part in types)
    return ContextField(shape, name, bare, decoder, marker, floats)


def _mark(note: Any) -> Sensitive | None:
    if note is Sensitive:
        return Sensitive()
    return note if isinstance(note, Sensitive) else None


def _marker(hint: Any) -> tuple[Sensitive | None, Any]:
    if get_origin(hint) is not Annotated:
        return None, hint
    inner, *notes = get_args(hint)
    marker = next((mark for note in notes if (mark := _mark(note))), None)
    rest = tuple(note for note in notes if not _mark(note))
    return marker, Annotated[(inner, *rest)] if rest else inner


def hints_within(hint: Any, seen: frozenset[Any] = frozenset()) -> Iterator[Any]:
    """*hint* and all hints within it, behind its aliases and in the fields of its classes."""
    yield hint
    inner = list(get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint))
    inner += [getattr(hint, name) for name in ("__supertype__", "__value__") if hasattr(hint, name)]
    kind = get_origin(hint) or hint
    if isinstance(kind, type) and kind not in seen and any(hasattr(kind, name) for name in _WITH_FIELDS):
        seen |= {kind}
        inner += get_type_hints(kind, include_extras=True).values()
    for part in inner:
        yield from hints_within(part, seen)


_WITH_FIELDS = ("__dataclass_fields__", "__struct_fields__", "_fields", "__total__")
"""What a dataclass, a struct, a named tuple and a typed dict are known by."""


def types_within(info: "msgspec.inspect.Type", seen: frozenset[int] = frozenset()) -> Iterator["msgspec.inspect.Type"]:
    """*info* and all types within it, in msgspec's terms."""
    yield info
    if id(info) in seen:  # a type may hold itself
        return
    named = (getattr(info, name, None) for name in ("item_type", "key_type", "value_type", "type"))
    inner = [part for part in named if isinstance(part, msgspec.inspect.Type)]
    inner += [*getattr(info, "item_types", ()), *getattr(info, "types", ())]
    inner += [field.type for field in getattr(info, "fields", ())]
    for part in inner:
        yield from types_within(part, seen | {id(info)})


_PLAIN = frozenset({str, int, bool, type(None), UUID, Decimal, date, timedelta, bytes})


def unfaithful(value: Any, *, floats: bool = True) -> str:
    """Why *value* would not come back as it is although JSON takes it; empty when it would."""
    kind = type(value)
    if kind in _PLAIN:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "is no finite number"
        return "" if floats else "is a float, and its type has none: only int and Decimal are exact"
    if isinstance(value, datetime | time):
        odd = value.tzinfo not in (None, UTC) and (value.utcoffset() or timedelta()) % timedelta(minutes=1)
        return "has an offset from UTC that is no whole minute" if odd else ""
    try:
        for part in _within(value):
            if type(part) not in _PLAIN and (fault := unfaithful(part, floats=floats)):
                return fault
    except RecursionError:
        return "contains itself"
    return ""


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, Mapping):
        return value.values()
    if hasattr(value, "__dataclass_fields__"):
        return [getattr(value, name) for name in value.__dataclass_fields__]
    return ()


def _problem(error: Exception) -> str:
    """msgspec's words without the value that it repeats of an enum."""
    return re.sub(r"^Invalid enum value .*?(?= - at `[^`]*`$|$)", "Invalid enum value", str(error), flags=re.DOTALL)
