"""Dead letters: what a person does with events that consumers gave up on."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

import msgspec
from django.db import transaction

from bandstand import clock
from bandstand.config import section
from bandstand.errors import Conflict, NotFound, ValidationFailed
from bandstand.events import wakeups
from bandstand.events._sql import Sql
from bandstand.events.config import EventsConfig
from bandstand.events.envelope import Envelope, UnreadableEnvelope
from bandstand.events.models import DeadLetter, WaitingRow

__all__ = ["count", "discard", "listed", "mend", "replay", "show"]


def listed(
    *, state: DeadLetter.State | None = DeadLetter.State.DEAD, consumer: str | None = None, limit: int = 100
) -> list[DeadLetter]:
    """Dead letters in *state* (None: any), the oldest first."""
    found = DeadLetter.objects.using(_using()).order_by("died_at", "id")
    if state is not None:
        found = found.filter(state=state)
    if consumer is not None:
        found = found.filter(consumer=consumer)
    return list(found[:limit])


def count() -> int:
    """How many dead letters nobody has dealt with."""
    return DeadLetter.objects.using(_using()).filter(state=DeadLetter.State.DEAD).count()


def show(letter_id: UUID) -> DeadLetter:
    """One dead letter, with envelope, reason and traceback. Raises NotFound."""
    try:
        return DeadLetter.objects.using(_using()).get(pk=letter_id)
    except DeadLetter.DoesNotExist:
        raise NotFound(f"there is no dead letter {letter_id}", dead_letter=str(letter_id)) from None


def replay(letter_ids: Iterable[UUID]) -> int:
    """Hand events to their consumers once more and return how many; each is still applied at most once.

    All or none. What fails again is retried as before and becomes the same dead letter again. Raises NotFound, and
    Conflict for one that is closed already.
    """
    using = _using()
    with transaction.atomic(using=using):
        letters = [_close(letter_id, DeadLetter.State.REPLAYED, using) for letter_id in letter_ids]
        for letter in letters:
            _put_back(letter, using)
        transaction.on_commit(wakeups.consumers, using=using)
    return len(letters)


def discard(letter_ids: Iterable[UUID]) -> int:
    """Close dead letters without applying them, for good, and return how many. Raises as `replay` does."""
    using = _using()
    with transaction.atomic(using=using):
        return len([_close(letter_id, DeadLetter.State.DISCARDED, using) for letter_id in letter_ids])


def mend(letter_id: UUID, data: bytes) -> DeadLetter:
    """Replace the data of a dead letter's event before it is replayed. Raises NotFound, Conflict, ValidationFailed."""
    using = _using()
    with transaction.atomic(using=using):
        letter = _open(letter_id, using)
        try:
            msgspec.json.decode(data, type=dict[str, object])
            envelope = Envelope.decoded(letter.envelope)
        except (msgspec.DecodeError, UnreadableEnvelope) as error:
            raise ValidationFailed("the data is no JSON object, or the envelope is unreadable") from error
        letter.envelope = replace(envelope, data=data).encoded().decode()
        letter.save(update_fields=["envelope"])
    return letter


def _using() -> str:
    return section(EventsConfig).database


def _open(letter_id: UUID, using: str) -> DeadLetter:
    try:
        letter = DeadLetter.objects.using(using).select_for_update().get(pk=letter_id)
    except DeadLetter.DoesNotExist:
        raise NotFound(f"there is no dead letter {letter_id}", dead_letter=str(letter_id)) from None
    if letter.state != DeadLetter.State.DEAD:
        raise Conflict(f"the dead letter {letter_id} is {letter.state} already", conflict="dead_letter_closed")
    return letter


def _close(letter_id: UUID, state: DeadLetter.State, using: str) -> DeadLetter:
    letter = _open(letter_id, using)
    letter.state = state
    letter.closed_at = clock.database_now(using)
    letter.save(update_fields=["state", "closed_at"])
    return letter


def _put_back(letter: DeadLetter, using: str) -> None:
    WaitingRow.objects.using(using).create(
        consumer=letter.consumer,
        event_id=letter.event_id,
        type=letter.type,
        subject=letter.subject,
        envelope=letter.envelope,
        next_at=clock.database_now(using),
        first_failed_at=letter.first_failed_at,
    )
    sql = Sql(using)
    sql.change(  # its inbox row says "taken over, not applied"; make sure that it is there
        "INSERT INTO bandstand_events_inbox (consumer, event_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (letter.consumer, sql.uuid(letter.event_id)),
    )
