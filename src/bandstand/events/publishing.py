"""`publish()`: one INSERT into the outbox of the transaction that makes the fact true."""

from dataclasses import replace
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connections, transaction

from bandstand import clock, context
from bandstand.config import identity, section
from bandstand.database import in_transaction
from bandstand.errors import InternalError
from bandstand.events import registry, wakeups
from bandstand.events.config import EventsConfig
from bandstand.events.declaration import Event, subject_of
from bandstand.events.envelope import Envelope

__all__ = ["EventTooLarge", "NoTransaction", "NotPublishable", "apublish", "publish"]


class NoTransaction(InternalError):
    """An event was published outside a transaction: it could be lost, or announced and then rolled back."""


class NotPublishable(InternalError):
    """The event belongs to another service, or declares no subject."""


class EventTooLarge(InternalError):
    """The event is over `max_event_bytes`: events carry identifiers and what changed, not documents."""


# Raw SQL: the ORM would double the cost of what every write of a service pays (0.32 against 0.15 ms a commit).
_INSERT = """INSERT INTO bandstand_events_outbox (event_id, type, subject, envelope, created_at)
             VALUES (%s, %s, %s, %s, %s) RETURNING id"""


def publish(event: Event) -> UUID:
    """Record *event* in the open transaction and return its id; it is delivered at least once after the commit.

    Local subscribers run before this returns. Raises NoTransaction outside a real transaction, NotPublishable for an
    event of another service, EventTooLarge.
    """
    config = section(EventsConfig)
    if not in_transaction(config.database):
        raise NoTransaction(f"{event.event_name} was published outside a transaction", event=event.event_name)
    envelope, encoded = _wrap(event, config)
    sequence = _insert(envelope, encoded, using=config.database)
    transaction.on_commit(wakeups.relay, using=config.database)
    handlers = registry.local_handlers(event.event_name)
    if handlers:
        numbered = replace(envelope, sequence=sequence)
        for handler in handlers:
            handler(event, numbered)
    return envelope.id


async def apublish(event: Event) -> UUID:
    """As `publish`, from a coroutine; the transaction is that of Django's thread for synchronous code."""
    return await sync_to_async(publish)(event)


def _wrap(event: Event, config: EventsConfig) -> tuple[Envelope, bytes]:
    service = identity().name
    if event.event_owner() != service or not event.subject_field:
        raise NotPublishable(f"{service} may not publish {event.event_name or type(event).__name__}")
    work = context.current()
    envelope = Envelope(
        id=clock.uuid7(),
        type=event.event_name,
        source=service,
        subject=subject_of(event),
        time=clock.now(),
        data=event.encoded(),
        correlation_id=work.correlation_id,
        causation_id=work.causation_id,
        traceparent=work.traceparent,
    )
    encoded = envelope.encoded()
    if len(encoded) > config.max_event_bytes:
        raise EventTooLarge(f"{event.event_name} has {len(encoded)} bytes; {config.max_event_bytes} are allowed")
    return envelope, encoded


def _insert(envelope: Envelope, encoded: bytes, *, using: str) -> int:
    connection = connections[using]
    native = connection.features.has_native_uuid_field
    row = (
        envelope.id if native else envelope.id.hex,
        envelope.type,
        envelope.subject,
        encoded.decode(),
        connection.ops.adapt_datetimefield_value(envelope.time),
    )
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, row)
        sequence: int = cursor.fetchone()[0]
    return sequence
