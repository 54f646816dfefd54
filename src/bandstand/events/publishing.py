"""`publish()`: one INSERT into the outbox of the transaction that makes the fact true, or a row for later."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction

from bandstand import clock, context
from bandstand.config import identity, section
from bandstand.database import in_transaction
from bandstand.errors import InternalError
from bandstand.events import registry, wakeups
from bandstand.events.config import EventsConfig
from bandstand.events.declaration import Event, subject_of
from bandstand.events.envelope import Envelope
from bandstand.events.outbox import insert
from bandstand.events.scheduling.delayed import put_off

__all__ = ["EventTooLarge", "NoTransaction", "NotPublishable", "apublish", "publish"]

_LONGEST_SUBJECT = 200
"""What the columns hold; SQLite would take more, and the PostgreSQL of a consumer refuse it."""


class NoTransaction(InternalError):
    """An event was published outside a transaction: it could be lost, or announced and then rolled back."""


class NotPublishable(InternalError):
    """The event belongs to another service, or its subject or its moment cannot be kept by every database and bus."""


class EventTooLarge(InternalError):
    """The event is over `max_event_bytes`: events carry identifiers and what changed, not documents."""


def publish(event: Event, *, at: datetime | None = None, after: timedelta | None = None) -> UUID:
    """Record *event* in the open transaction and return its id; it is delivered at least once after the commit.

    With *at* or *after* it is published then, and `withdraw(id)` calls it off until then. Local subscribers run before
    this returns. Raises NoTransaction outside a real transaction, NotPublishable for an event of another service, a
    subject over 200 characters and a delayed event that has local subscribers, EventTooLarge.
    """
    config = section(EventsConfig)
    if not in_transaction(config.database):
        raise NoTransaction(f"{event.event_name} was published outside a transaction", event=event.event_name)
    due_at = _moment(at, after, config)
    handlers = registry.local_handlers(event.event_name)
    envelope, encoded = _wrap(event, config, time=due_at or clock.now())
    if due_at is not None:
        if handlers:
            raise NotPublishable(f"{event.event_name} has local subscribers, which belong to this transaction")
        put_off(envelope, encoded, due_at, using=config.database)
        return envelope.id
    content = (envelope.id, envelope.type, envelope.subject, encoded.decode())
    sequence = insert(*content, at=envelope.time, using=config.database)
    transaction.on_commit(wakeups.relay, using=config.database)
    if handlers:
        numbered = replace(envelope, sequence=sequence)
        for handler in handlers:
            handler(event, numbered)
    return envelope.id


async def apublish(event: Event, *, at: datetime | None = None, after: timedelta | None = None) -> UUID:
    """As `publish`, from a coroutine; the transaction is that of Django's thread for synchronous code."""
    return await sync_to_async(publish)(event, at=at, after=after)


def _moment(at: datetime | None, after: timedelta | None, config: EventsConfig) -> datetime | None:
    if at is not None and after is not None:
        raise NotPublishable("say either at= or after=")
    if at is not None and at.tzinfo is None:
        raise NotPublishable(f"at={at} names no time zone")
    return at if after is None else clock.database_now(config.database) + after


def _wrap(event: Event, config: EventsConfig, *, time: datetime) -> tuple[Envelope, bytes]:
    service = identity().name
    if event.event_owner() != service or not event.subject_field:
        raise NotPublishable(f"{service} may not publish {event.event_name or type(event).__name__}")
    subject = subject_of(event)
    if len(subject) > _LONGEST_SUBJECT or "\0" in subject:
        raise NotPublishable(f"the subject of {event.event_name} is no id of at most {_LONGEST_SUBJECT} characters")
    work = context.current()
    envelope = Envelope(
        id=clock.uuid7(),
        type=event.event_name,
        source=service,
        subject=subject,
        time=time,
        data=event.encoded(),
        correlation_id=work.correlation_id,
        causation_id=work.causation_id,
        traceparent=work.traceparent,
    )
    encoded = envelope.encoded()
    if len(encoded) > config.max_event_bytes:
        raise EventTooLarge(f"{event.event_name} has {len(encoded)} bytes; {config.max_event_bytes} are allowed")
    return envelope, encoded
