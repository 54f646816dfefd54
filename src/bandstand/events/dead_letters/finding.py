"""Finding dead letters."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from bandstand.config import section
from bandstand.errors import Conflict, NotFound
from bandstand.events.config import EventsConfig
from bandstand.events.models import DeadLetter

__all__ = ["Filter", "count", "database", "listed", "locked", "open_letter", "show"]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which dead letters; what is empty does not restrict. `reason` is a part of the text, whatever its case."""

    ids: tuple[UUID, ...] = ()
    consumer: str = ""
    type: str = ""
    subject: str = ""
    since: datetime | None = None
    before: datetime | None = None
    reason: str = ""
    state: DeadLetter.State | None = DeadLetter.State.DEAD
    """None means any."""

    @property
    def restricts(self) -> bool:
        """Whether anything but id and state is asked for."""
        return any((self.consumer, self.type, self.subject, self.since, self.before, self.reason))

    def found(self) -> QuerySet[DeadLetter]:
        """Those it fits, the one that died first at the head."""
        wanted = {
            "pk__in": self.ids,
            "consumer": self.consumer,
            "type": self.type,
            "subject": self.subject,
            "died_at__gte": self.since,
            "died_at__lt": self.before,
            "reason__icontains": self.reason,
            "state": self.state,
        }
        chosen = {name: value for name, value in wanted.items() if value}
        return DeadLetter.objects.using(database()).filter(**chosen).order_by("died_at", "id")


def listed(which: Filter | None = None, *, limit: int = 100) -> list[DeadLetter]:
    """Dead letters that *which* fits (the open ones), the oldest first."""
    return list((which or Filter()).found()[:limit])


def count(which: Filter | None = None) -> int:
    """How many dead letters *which* fits; those that nobody has dealt with."""
    return (which or Filter()).found().count()


def show(letter_id: UUID) -> DeadLetter:
    """One dead letter, with envelope, reason and traceback. Raises NotFound."""
    return _one(DeadLetter.objects.using(database()), letter_id)


def open_letter(letter_id: UUID) -> DeadLetter:
    """One open dead letter. Raises NotFound, and Conflict for a closed one."""
    return _still_open(show(letter_id))


def locked(letter_id: UUID) -> DeadLetter:
    """One open dead letter, locked until the transaction ends. Raises as `open_letter` does."""
    return _still_open(_one(DeadLetter.objects.using(database()).select_for_update(), letter_id))


def database() -> str:
    """Where they are."""
    return section(EventsConfig).database


def _still_open(letter: DeadLetter) -> DeadLetter:
    if letter.state != DeadLetter.State.DEAD:
        raise Conflict(f"the dead letter {letter.pk} is {letter.state} already", conflict="dead_letter_closed")
    return letter


def _one(letters: QuerySet[DeadLetter], letter_id: UUID) -> DeadLetter:
    try:
        return letters.get(pk=letter_id)
    except DeadLetter.DoesNotExist:
        raise NotFound(f"there is no dead letter {letter_id}", dead_letter=str(letter_id)) from None
