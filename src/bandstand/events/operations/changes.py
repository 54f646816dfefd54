"""Where the new data of an event comes from: the command line, standard input, or a person's editor."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bandstand.errors import ValidationFailed
from bandstand.events.dead_letters import consumed_event, shown
from bandstand.events.dead_letters.fitting import fits_field
from bandstand.events.declaration import Event
from bandstand.events.models import DeadLetter

__all__ = ["assigned", "given_data", "in_editor"]


def given_data(text: str) -> bytes:
    """The data as it was given; `-` stands for standard input. Raises ValidationFailed."""
    data = sys.stdin.buffer.read() if text == "-" else text.encode(errors="surrogateescape")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise ValidationFailed(f"the data is not in UTF-8: {error}") from error
    return data


def assigned(assignments: Sequence[str]) -> Callable[[DeadLetter, bytes], bytes]:
    """The change that `field=value` describes: a value is JSON, or text where it is none or the field wants text.

    A dotted name, as `items.0.quantity`, leads into objects and lists.
    """

    def change(letter: DeadLetter, data: bytes) -> bytes:
        document = msgspec.json.decode(data)
        event = consumed_event(letter.consumer)
        for assignment in assignments:
            name, separator, value = assignment.partition("=")
            if not separator or not name:
                raise ValidationFailed(f"{assignment!r} is no assignment; expected field=value")
            _assign(document, name.split("."), _value(event, name, value))
        return msgspec.json.encode(document)

    return change


def in_editor(data: bytes) -> bytes | None:
    """What a person makes of the data in `$VISUAL` or `$EDITOR`; None when it was left as it was."""
    import click  # noqa: PLC0415 - only here is a person asked for anything

    before = f"{shown(data)}\n"
    text = click.edit(before, extension=".json")
    return None if text is None or text.strip() == before.strip() else text.encode()


def _value(event: type[Event] | None, name: str, text: str) -> Any:
    as_text = msgspec.json.encode(text)
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    wants_text = event and not fits_field(event, name, text.encode()) and fits_field(event, name, as_text)
    return text if wants_text else value


def _assign(document: Any, path: Sequence[str], value: Any) -> None:
    *parents, last = path
    try:
        for step in parents:
            document = document[int(step) if isinstance(document, list) else step]
        document[int(last) if isinstance(document, list) else last] = value
    except (KeyError, IndexError, ValueError, TypeError):
        raise ValidationFailed(f"the data has no {'.'.join(path)!r} to set") from None
