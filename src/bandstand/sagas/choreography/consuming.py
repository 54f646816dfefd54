"""The consumers of choreographies: one for each watched event, reading nothing but what names the journey.

They are a group of their own, so that watching neither delays what is watched nor is delayed by it.
"""

import inspect
import logging
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

from bandstand.config import identity
from bandstand.events import Envelope, Event, consumer, subscribe_locally
from bandstand.sagas.choreography.checks import check_choreography
from bandstand.sagas.choreography.declaration import Choreography
from bandstand.sagas.choreography.language import Key, Then

__all__ = ["GROUP", "connect"]

log = logging.getLogger(__name__)

GROUP = "choreographies"
_LONGEST_KEY = 200

Batch = list[tuple[Event, Envelope]]
Note = Callable[[type[Choreography], str, dict[str, str]], None]


def connect(choreography: type[Choreography]) -> None:
    """Let events move the journeys of *choreography*; one with a fault is left to the system checks, which name it."""
    if any(check_choreography(choreography)):
        return
    first = next(iter(choreography.watched()))
    for name, step in choreography.watched().items():
        is_own = step.event.event_owner() == identity().name
        if name == first and choreography.begins_locally and is_own:
            subscribe_locally(step.event, _beginner(choreography, step))
        else:
            _consume(choreography, step, is_first=name == first)


def _beginner(choreography: type[Choreography], step: Then) -> Callable[[Event, Envelope], None]:
    def begin_journey(event: Event, envelope: Envelope) -> None:
        from bandstand.sagas.choreography.store import begin  # noqa: PLC0415 - models exist later than declarations

        _note(begin, choreography, step, [(event, envelope)])

    return begin_journey


def _consume(choreography: type[Choreography], step: Then, *, is_first: bool) -> None:
    def handler(batch: Batch) -> None:
        from bandstand.sagas.choreography import store  # noqa: PLC0415 - models exist later than declarations

        _note(store.begin if is_first else store.follow, choreography, step, batch)

    # It says in contracts and messages that it stands where the choreography is declared.
    handler.__module__ = choreography.__module__
    handler.__qualname__ = f"{choreography.__qualname__}.{step.name}"
    handler.__doc__ = f"Watch the journey {choreography.name}."
    handler.declared_at = _place(choreography)  # type: ignore[attr-defined]  # a function may carry what is known of it
    read_by = _reduced(choreography, step)
    # One at a time: what holds rows of several journeys never meets its like.
    consumer(read_by, name=f"{choreography.name}.{step.name}", batch=True, group=GROUP, concurrency=1)(handler)


def _note(note: Note, choreography: type[Choreography], step: Then, batch: Batch) -> None:
    travellers = {}
    for event, envelope in batch:
        key = _key(choreography.key_of(step), event, envelope)
        if key is None:
            continue
        if key and len(key) <= _LONGEST_KEY and "\0" not in key:
            travellers[key] = envelope.correlation_id
        else:  # to fail would roll back the fact, or bury an event, because somebody looks on
            facts = {"choreography": choreography.name, "event": step.name, "event_id": str(envelope.id)}
            log.error("choreography.key_unusable", extra=facts)
    if travellers:
        note(choreography, step.name, travellers)


def _key(key: Key, event: Event, envelope: Envelope) -> str | None:
    """What names the journey; None for an event that belongs to none."""
    if not key:
        return envelope.subject
    found = key(event, envelope) if callable(key) else getattr(event, key)
    return None if found is None else str(found)


def _reduced(choreography: type[Choreography], step: Then) -> type[Event]:
    """The event with nothing but the field that is read; a function may read any of those declared."""
    key = choreography.key_of(step)
    if callable(key):
        return step.event
    body: dict[str, Any] = {
        "__annotations__": {key: get_type_hints(step.event)[key]} if key else {},
        "__doc__": f"What the choreography {choreography.name} reads of {step.name}.",
        "__module__": choreography.__module__,
        "__qualname__": f"{choreography.__qualname__}.{step.event.__name__}",
        "declared_at": {key: _place(choreography)} if key else {},
    }
    return _made(step.event.__name__, step.name, body.items())


def _made(title: str, name: str, body: Iterable[tuple[str, Any]]) -> type[Event]:
    made: type[Event] = types.new_class(title, (Event,), {"name": name}, lambda own: own.update(body))
    return made


def _place(choreography: type[Choreography]) -> str:
    try:
        line = inspect.getsourcelines(choreography)[1]
    except (OSError, TypeError):  # made at run time: there is no line
        line = 1
    module = sys.modules[choreography.__module__]
    return f"{getattr(module, '__file__', None) or module.__name__}:{line}"
