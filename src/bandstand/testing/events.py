"""Events from other services, without a bus."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from bandstand import clock
from bandstand.config import section
from bandstand.events import Envelope
from bandstand.events.backends import Delivery, Message
from bandstand.events.config import EventsConfig
from bandstand.events.groups import group_of, groups
from bandstand.events.inbox import Inbox

__all__ = ["deliver"]


def deliver(
    event_name: str,
    data: Mapping[str, Any],
    *,
    subject: object,
    sequence: int = 1,
    event_id: UUID | None = None,
    group: str = "",
) -> UUID:
    """Hand an event to the consumers of this service as its consumer loops do: inbox row and effect in one commit.

    Each group of consumers has a transaction of its own; with *group* only that one is given the event. Returns the
    event's id. Raises AssertionError when a consumer failed, so that the event waits or is a dead letter.
    """
    envelope = Envelope(
        id=event_id or clock.uuid7(),
        type=event_name,
        source=event_name.partition(".")[0],
        subject=str(subject),
        time=clock.now(),
        data=msgspec.json.encode(data),
        sequence=sequence,
        correlation_id="corr-0001",
    )
    body = envelope.encoded().decode()
    message = Message(event_id=str(envelope.id), type=event_name, subject=envelope.subject, body=body)
    known = groups()
    chosen = [group_of(group, known)] if group else known
    for each in [found for found in chosen if event_name in found.types] or chosen[:1]:
        inbox = Inbox(each.consumers, section(EventsConfig), group=each.name)
        if inbox.apply([Delivery(position=sequence, message=message)]):
            raise AssertionError(f"{event_name} was not applied: it waits, or is a dead letter")
    return envelope.id
