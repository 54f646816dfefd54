"""Replaying and discarding: one by one, or all that a filter fits in transactions of bounded size."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from bandstand import clock
from bandstand.events import actions
from bandstand.events.dead_letters.finding import Filter, database, locked
from bandstand.events.models import DeadLetter, EventAction, InboxRow, WaitingRow

__all__ = ["discard", "discard_all", "replay", "replay_all"]

_AT_ONCE = 500

Close = Callable[[Sequence[DeadLetter]], None]
Progress = Callable[[int], object]


def replay(letter_ids: Iterable[UUID], *, by: str = "", note: str = "") -> int:
    """Hand events to their consumers once more and return how many; each is still applied at most once.

    All or none. What fails again is retried as before and becomes the same dead letter again. Raises NotFound, and
    Conflict for one that is closed already.
    """
    return _named(letter_ids, partial(_replay, by=by, note=note))


def discard(letter_ids: Iterable[UUID], *, by: str = "", note: str = "") -> int:
    """Close dead letters without applying them, for good, and return how many. Raises as `replay` does."""
    return _named(letter_ids, partial(_discard, by=by, note=note))


def replay_all(which: Filter, *, by: str = "", note: str = "", progress: Progress | None = None) -> int:
    """Replay every open dead letter that *which* fits and return how many.

    Each transaction takes at most 500, so that nothing else waits for long; *progress* is told the sum after each.
    Those that die again meanwhile are not taken a second time, those that somebody else deals with not at all.
    """
    return _all(which, partial(_replay, by=by, note=note), progress)


def discard_all(which: Filter, *, by: str = "", note: str = "", progress: Progress | None = None) -> int:
    """Discard every open dead letter that *which* fits, as `replay_all` does."""
    return _all(which, partial(_discard, by=by, note=note), progress)


def _named(letter_ids: Iterable[UUID], close: Close) -> int:
    with transaction.atomic(using=database()):
        # In one order for everybody, else two at once could block each other.
        letters = [locked(letter_id) for letter_id in sorted(set(letter_ids))]
        close(letters)
    return len(letters)


def _all(which: Filter, close: Close, progress: Progress | None) -> int:
    until, done = clock.database_now(database()), 0
    while number := _next(which, close, until):
        done += number
        if progress:
            progress(done)
    return done


def _next(which: Filter, close: Close, until: datetime) -> int:
    with transaction.atomic(using=database()):
        open_ones = which.found().filter(state=DeadLetter.State.DEAD, died_at__lte=until)
        letters = list(open_ones.select_for_update(skip_locked=True)[:_AT_ONCE])
        if letters:
            close(letters)
    return len(letters)


def _replay(letters: Sequence[DeadLetter], *, by: str, note: str) -> None:
    _close(letters, DeadLetter.State.REPLAYED)
    _put_back(letters)
    actions.record(_entries(letters, EventAction.Kind.REPLAY), by=by, note=note)


def _discard(letters: Sequence[DeadLetter], *, by: str, note: str) -> None:
    _close(letters, DeadLetter.State.DISCARDED)
    actions.record(_entries(letters, EventAction.Kind.DISCARD), by=by, note=note)


def _entries(letters: Iterable[DeadLetter], action: EventAction.Kind) -> list[EventAction]:
    return [
        EventAction(
            action=action, consumer=letter.consumer, type=letter.type, dead_letter=letter.pk, event_id=letter.event_id
        )
        for letter in letters
    ]


def _close(letters: Sequence[DeadLetter], state: DeadLetter.State) -> None:
    rows = DeadLetter.objects.using(database()).filter(pk__in=[letter.pk for letter in letters])
    rows.update(state=state, closed_at=clock.database_now(database()))


def _put_back(letters: Sequence[DeadLetter]) -> None:
    now = clock.database_now(database())
    WaitingRow.objects.using(database()).bulk_create([_waiting(letter, now) for letter in letters])
    # Their inbox rows say "taken over, not applied"; make sure that they are there.
    inbox = [InboxRow(consumer=letter.consumer, event_id=letter.event_id) for letter in letters]
    InboxRow.objects.using(database()).bulk_create(inbox, ignore_conflicts=True)


def _waiting(letter: DeadLetter, now: datetime) -> WaitingRow:
    return WaitingRow(
        consumer=letter.consumer,
        event_id=letter.event_id,
        type=letter.type,
        subject=letter.subject,
        envelope=letter.envelope,
        next_at=now,
        first_failed_at=letter.first_failed_at,
    )
