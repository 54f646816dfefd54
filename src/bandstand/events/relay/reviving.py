"""What a person does about events that the bus refused for good."""

from django.db import transaction

from bandstand.config import section
from bandstand.events import actions, wakeups
from bandstand.events._sql import Sql, as_uuid
from bandstand.events.config import EventsConfig
from bandstand.events.models import EventAction

__all__ = ["revive"]


def revive(*, by: str = "", note: str = "") -> int:
    """Let the relay try all events again that the bus refused for good; return how many. It is audited."""
    using = section(EventsConfig).database
    with transaction.atomic(using=using):
        revived = Sql(using).rows(
            "UPDATE bandstand_events_outbox SET attempts = 0, next_at = NULL, dead_at = NULL, reason = ''"
            " WHERE dead_at IS NOT NULL RETURNING event_id, type"
        )
        actions.record((_entry(*row) for row in revived), by=by, note=note)
    wakeups.relay()
    return len(revived)


def _entry(event_id: object, type_: str) -> EventAction:
    return EventAction(action=EventAction.Kind.REVIVE, event_id=as_uuid(str(event_id)), type=type_)
