"""The context of a saga as JSON: what a step returns comes back the same before and after a crash.

A context is a mapping of JSON values, or an instance of a frozen dataclass whose types survive; the fields of a
dataclass that are marked `Sensitive` are sealed on their way into the text.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from bandstand.sagas.contexts import ContextForm, ContextMismatch, form_of, unfaithful
from bandstand.sagas.sealing import HIDDEN, LEFT_OUT, is_sealed, seal, unseal

__all__ = ["changes_text", "decode", "encode", "merged", "redacted"]

_Parts = dict[str, msgspec.Raw]

_encoder = msgspec.json.Encoder()
_split = msgspec.json.Decoder(_Parts)
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # the text "\u0000" itself is written with two backslashes


def encode(context: Mapping[str, Any] | object, shape: type[Any] | None = None) -> str:
    """Write a mapping, or an instance of a dataclass; with *shape* a mapping becomes an instance of it first.

    Raises TypeError or ValueError, naming the field, for what JSON does not give back; ContextSealed without a key.
    """
    form = _form(context, shape)
    parts = _written(context, form)
    if form is None:
        return _text(parts)
    if isinstance(context, Mapping):  # the defaults are fixed now, not anew each time that the context is read
        parts = _written(_whole(form, parts), form)
    return _text(_sealed(parts, form))


def decode(text: str, shape: type[Any] | None = None) -> Any:
    """Read a context: a dict of JSON values, or an instance of *shape*.

    Unknown fields are ignored, absent ones take their default. Raises ContextMismatch when the text does not fit the
    shape, ContextSealed when a sensitive value cannot be opened.
    """
    if shape is None:
        return msgspec.json.decode(text)
    form = form_of(shape)
    try:
        return form.read(_opened(text, form) if form.sensitive else text)
    except ContextMismatch as error:
        raise _explained(error, text, form) from None


def merged(text: str, changes: Mapping[str, Any] | object | None, shape: type[Any] | None = None) -> str:
    """The context that follows when a step returned *changes*: some fields, or a whole instance of *shape*.

    The same object as *text* when nothing changed. Fields that *shape* does not know are kept: another release
    wrote them. Raises TypeError for an unknown or unfit field.
    """
    if changes is None:
        return text
    form = _form(changes, shape)
    parts = _written(changes, form)
    held = _split.decode(text)
    opened = _unsealed(held, parts, form) if form and form.sensitive else held
    changed = {name: raw for name, raw in parts.items() if opened.get(name) != raw}
    if not changed:
        return text
    held.update(_sealed(changed, form) if form and form.sensitive else changed)
    after = _text(held)
    if form and form.checks:
        _checked(after, form)
    return after


def changes_text(changes: Mapping[str, Any] | object | None, shape: type[Any] | None = None) -> str:
    """What a step returned, for the history: sensitive fields sealed, or left out where they are not to be kept."""
    if changes is None:
        return "{}"
    form = _form(changes, shape)
    return _text(_sealed(_written(changes, form), form, history=True))


def redacted(text: str, shape: type[Any] | None = None) -> dict[str, Any]:
    """Read a context or changes for people: sensitive values are dots. Needs no key.

    With *shape*, values written before their field was marked are hidden as well.
    """
    marked = {field.name for field in form_of(shape).sensitive} if shape else set()
    values: dict[str, Any] = msgspec.json.decode(text)
    return {name: HIDDEN if name in marked or is_sealed(value) else value for name, value in values.items()}


def _form(value: Any, shape: type[Any] | None) -> ContextForm | None:
    """The form by which *value* is written: that of *shape*, or of its own class."""
    kind = type(value)
    if kind is dict or isinstance(value, Mapping):
        return form_of(shape) if shape else None
    if shape is not None and kind is not shape:
        raise TypeError(f"expected a mapping of fields or {shape.__qualname__}, got {kind.__qualname__}")
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"expected a mapping of fields or an instance of a dataclass, got {kind.__qualname__}")
    return form_of(kind)


def _written(value: Any, form: ContextForm | None) -> _Parts:
    """Each field of *value* as JSON, nothing sealed yet."""
    if form is None:
        return {_name(name): _json(name, part) for name, part in value.items()}
    if type(value) is dict or isinstance(value, Mapping):
        return {name: form.field(name).write(part) for name, part in value.items()}
    return {name: field.write(getattr(value, name)) for name, field in form.fields.items()}


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a field is text, and {name!r} is none")
    return str(name)


def _json(name: str, value: Any) -> msgspec.Raw:
    fault = unfaithful(value)
    if fault:
        raise ValueError(f"{name}: {fault}")
    try:
        return msgspec.Raw(_encoder.encode(value))
    except UnicodeEncodeError:
        raise ValueError(f"{name}: is no valid Unicode") from None
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def _whole(form: ContextForm, parts: _Parts) -> Any:
    try:
        return form.read(_encoder.encode(parts))
    except ContextMismatch as error:
        raise TypeError(str(error)) from None


def _checked(text: str, form: ContextForm) -> None:
    try:
        decode(text, form.shape)
    except ContextMismatch as error:
        raise ValueError(str(error)) from None


def _sealed(parts: _Parts, form: ContextForm | None, *, history: bool = False) -> _Parts:
    """*parts* in the form in which they are stored."""
    if form is None or not form.sensitive:
        return parts
    for field in form.sensitive:
        if field.sensitive and field.name in parts:
            kept = field.sensitive.keep or not history
            parts[field.name] = seal(parts[field.name]) if kept else LEFT_OUT
    return parts


def _unsealed(held: _Parts, names: Iterable[str], form: ContextForm) -> _Parts:
    """*held* with the sensitive ones of *names* opened."""
    chosen = [field for field in form.sensitive if field.name in held and field.name in names]
    return held | {field.name: unseal(f"{field.shape}.{field.name}", held[field.name]) for field in chosen}


def _opened(text: str, form: ContextForm) -> bytes:
    try:
        held = _split.decode(text)
    except msgspec.DecodeError as error:
        raise ContextMismatch(f"the context {form.shape.__qualname__}: {error}") from None
    return _encoder.encode(_unsealed(held, held, form))


def _explained(error: ContextMismatch, text: str, form: ContextForm) -> ContextMismatch:
    """Add what a person needs when a field is sealed that this release does not mark."""
    try:
        values = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return error
    marked = {field.name for field in form.sensitive}
    sealed = [name for name in values if name in form.fields and name not in marked and is_sealed(values[name])]
    return ContextMismatch(f"{error}; sealed, but not marked Sensitive: {', '.join(sealed)}") if sealed else error


def _text(parts: _Parts) -> str:
    text = _encoder.encode(parts).decode()
    if "\\u0000" in text and _NUL.search(text):
        names = [name for name, raw in parts.items() if _NUL.search(bytes(raw).decode())] or list(parts)
        raise ValueError(f"{', '.join(names)}: a NUL character cannot be stored: PostgreSQL has no place for it")
    return text
