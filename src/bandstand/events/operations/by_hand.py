"""Publishing an event and forgetting a group by hand; both are audited."""

import dataclasses
from uuid import UUID

import msgspec
from django.db import transaction

from bandstand.config import identity, section
from bandstand.errors import Conflict, NotFound, ValidationFailed
from bandstand.events import actions, registry
from bandstand.events.backends import current_bus
from bandstand.events.config import EventsConfig
from bandstand.events.dead_letters import misfits
from bandstand.events.declaration import Event
from bandstand.events.models import EventAction
from bandstand.events.publishing import publish

__all__ = ["checked_event", "forget_group", "publish_by_hand"]


def checked_event(type_: str, data: bytes, *, subject: str = "") -> Event:
    """The event that would be published. Raises NotFound for a type that is not this service's, ValidationFailed."""
    event = _published(type_)
    named = _with_subject(event, data, subject) if subject else data
    problems = misfits(event, named) + _unknown_fields(event, named)
    if problems:
        raise ValidationFailed(f"the data does not fit {type_}: {'; '.join(problems)}", field_errors={"data": problems})
    return event.decoded(named)


def publish_by_hand(event: Event, *, by: str = "", note: str = "") -> UUID:
    """Publish *event* through the outbox as the service itself does, local subscribers included."""
    with transaction.atomic(using=section(EventsConfig).database):
        event_id = publish(event)
        entry = EventAction(
            action=EventAction.Kind.PUBLISH, type=event.event_name, event_id=event_id, after=event.encoded().decode()
        )
        actions.record([entry], by=by, note=note)
    return event_id


def forget_group(group: str, *, by: str = "", note: str = "") -> None:
    """Let the bus drop what only this retired group still holds.

    Raises NotFound, Conflict while somebody reads for it, BusUnavailable.
    """
    bus = current_bus()
    names = [report.name for report in bus.groups()]
    if group not in names:
        raise NotFound(f"there is no group {group!r}; there are: {', '.join(names) or 'none'}")
    if not bus.shares_groups:
        subscription = bus.subscribe(group)
        if subscription is None:
            raise Conflict(f"a process reads for {group}; a group is forgotten when its service is gone for good")
        subscription.close()
    # First, for a deed that leaves no trail is worse than a trail of one that failed and is done again.
    actions.record([EventAction(action=EventAction.Kind.FORGET, consumer=group)], by=by, note=note)
    bus.register(group, (), from_beginning=True)


def _published(type_: str) -> type[Event]:
    own = {each.event_name: each for each in registry.published()}
    if type_ not in own:
        known = ", ".join(own) or "nothing"
        raise NotFound(f"{identity().name} does not publish {type_!r}; it publishes: {known}")
    return own[type_]


def _with_subject(event: type[Event], data: bytes, subject: str) -> bytes:
    try:
        fields = msgspec.json.decode(data, type=dict[str, object])
    except msgspec.DecodeError:
        return data  # said by whoever checks it
    name = event.subject_field
    if str(fields.setdefault(name, subject)) != subject:
        raise ValidationFailed(f"the subject is the field {name!r}, and the data says {fields[name]!r}")
    return msgspec.json.encode(fields)


def _unknown_fields(event: type[Event], data: bytes) -> list[str]:
    """What would be dropped without a word: a misspelt name."""
    known = {field.name for field in dataclasses.fields(event)}  # type: ignore[arg-type]  # each subclass is made one
    try:
        given = msgspec.json.decode(data, type=dict[str, object])
    except msgspec.DecodeError:
        return []  # said already
    return [f"{name}: there is no such field" for name in given if name not in known]
