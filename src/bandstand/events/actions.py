"""The audit trail: who did what to events by hand, when and why."""

from collections.abc import Iterable
from uuid import UUID

from bandstand import clock
from bandstand.config import operating_system_user, section
from bandstand.events.config import EventsConfig
from bandstand.events.models import EventAction

__all__ = ["of_dead_letter", "operating_system_user", "record"]

_AT_ONCE = 500


def record(entries: Iterable[EventAction], *, by: str = "", note: str = "") -> None:
    """Write down what is being done; call it in the transaction that does it. *by* is the OS user unless given."""
    using = section(EventsConfig).database
    now, who = clock.database_now(using), by or operating_system_user()
    noted = list(entries)
    for entry in noted:
        entry.at, entry.actor, entry.note = now, who, note
    EventAction.objects.using(using).bulk_create(noted, batch_size=_AT_ONCE)


def of_dead_letter(letter_id: UUID) -> list[EventAction]:
    """What was done with one dead letter, the oldest first."""
    return list(EventAction.objects.using(section(EventsConfig).database).filter(dead_letter=letter_id).order_by("id"))
