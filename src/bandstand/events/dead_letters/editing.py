"""Editing the data of a dead letter's event, checked against what its consumer reads."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import unified_diff
from uuid import UUID

import msgspec
from django.db import transaction

from bandstand.errors import ValidationFailed
from bandstand.events import actions
from bandstand.events.dead_letters.finding import database, locked, open_letter
from bandstand.events.dead_letters.fitting import consumed_event, misfits
from bandstand.events.declaration import Event
from bandstand.events.envelope import Envelope, UnreadableEnvelope, with_data
from bandstand.events.models import DeadLetter, EventAction
from bandstand.events.upcasting import CannotUpcast, upcast

__all__ = ["Edit", "edit", "event_data", "preview", "shown"]

Change = bytes | Callable[[DeadLetter, bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """An edit: the dead letter as it is afterwards, and its event's data before and after."""

    letter: DeadLetter
    before: bytes
    after: bytes

    def diff(self) -> str:
        """The lines that differ, as a unified diff; empty when nothing does."""
        before, after = shown(self.before).splitlines(), shown(self.after).splitlines()
        return "\n".join(unified_diff(before, after, "before", "after", lineterm="", n=2))


def edit(letter_id: UUID, change: Change, *, by: str = "", note: str = "") -> Edit:
    """Replace the data of a dead letter's event before it is replayed.

    *change* is the new data or makes it from the letter and the old. Raises NotFound, Conflict, and ValidationFailed,
    which names every field that does not fit.
    """
    with transaction.atomic(using=database()):
        done = _edited(locked(letter_id), change)
        done.letter.save(update_fields=["envelope"])
        actions.record([_entry(done)], by=by, note=note)
    return done


def preview(letter_id: UUID, change: Change) -> Edit:
    """What `edit` would do, without writing it. Raises as it does."""
    return _edited(open_letter(letter_id), change)


def event_data(letter_id: UUID) -> bytes:
    """The data of an open dead letter's event. Raises as `edit` does."""
    return _envelope(open_letter(letter_id)).data


def shown(data: bytes) -> str:
    """JSON data for people: indented."""
    return msgspec.json.format(data, indent=2).decode()


def _edited(letter: DeadLetter, change: Change) -> Edit:
    envelope = _envelope(letter)
    data = change if isinstance(change, bytes) else change(letter, envelope.data)
    _check(letter, replace(envelope, data=data))
    data = msgspec.json.format(data, indent=-1)
    letter.envelope = with_data(letter.envelope, data)
    return Edit(letter=letter, before=envelope.data, after=data)


def _envelope(letter: DeadLetter) -> Envelope:
    try:
        return Envelope.decoded(letter.envelope)
    except UnreadableEnvelope as error:
        raise ValidationFailed("its envelope cannot be read, so it can only be discarded") from error


def _check(letter: DeadLetter, envelope: Envelope) -> None:
    event = consumed_event(letter.consumer)
    problems = _unreadable(envelope.data) or (_misfits(event, envelope) if event else [])
    if problems:
        what = f"what {letter.consumer} reads" if event else "an event"
        raise ValidationFailed(f"the data does not fit {what}: {'; '.join(problems)}", field_errors={"data": problems})


def _misfits(event: type[Event], envelope: Envelope) -> list[str]:
    try:
        return misfits(event, upcast(envelope, event.event_name).data)
    except CannotUpcast as error:
        return [str(error)]


def _unreadable(data: bytes) -> list[str]:
    try:
        msgspec.json.decode(data, type=dict[str, object])
    except msgspec.DecodeError as error:
        return [f"this is no JSON object: {error}"]
    return []


def _entry(done: Edit) -> EventAction:
    return EventAction(
        action=EventAction.Kind.EDIT,
        consumer=done.letter.consumer,
        type=done.letter.type,
        dead_letter=done.letter.pk,
        event_id=done.letter.event_id,
        before=done.before.decode(),
        after=done.after.decode(),
    )
