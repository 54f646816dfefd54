"""Forgetting what has served: in small batches, so that no lock is held for long and no table grows for ever."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from bandstand import clock
from bandstand.events._sql import Sql, as_time, marks
from bandstand.events.backends import Bus
from bandstand.events.config import EventsConfig
from bandstand.events.groups import Group
from bandstand.events.models import DeadLetter, EventAction

__all__ = [
    "DeliveredPurge",
    "Housekeeping",
    "bus_purge",
    "purge_actions",
    "purge_dead_letters",
    "purge_inbox",
    "store_purge",
]

_AT_ONCE = 1_000
_LONGEST_SECONDS = 0.05
_SOON_SECONDS = 0.2


class DeliveredPurge:
    """Forgets delivered events older than the retention, batch after batch.

    By the lowest ids, which needs no index on the time: ids and times grow together closely enough. But for an event
    that was delivered long after it was published, as one that somebody revived: those are passed over.
    """

    def __init__(self, config: EventsConfig) -> None:
        self._config = config
        self._passed = 0

    def __call__(self) -> int:
        """Look at the next batch; return a full one where more may be old, else how many were forgotten."""
        sql = Sql(self._config.database)
        before = clock.database_now(self._config.database) - self._config.outbox_retention
        rows = sql.rows(
            "SELECT id, delivered_at, created_at FROM bandstand_events_delivered WHERE id > %s ORDER BY id LIMIT %s",
            (self._passed, _AT_ONCE),
        )
        old = [row_id for row_id, delivered_at, _ in rows if as_time(delivered_at) < before]
        if old:
            sql.change(f"DELETE FROM bandstand_events_delivered WHERE id IN ({marks(len(old))})", old)  # noqa: S608 - marks
        may_go_on = len(rows) == _AT_ONCE and as_time(rows[-1][2]) < before
        self._passed = rows[-1][0] if may_go_on else 0
        return _AT_ONCE if may_go_on else len(old)


def purge_inbox(config: EventsConfig, group: Group) -> int:
    """Forget events that *group* applied longer ago than the retention; what waits or is dead keeps its row.

    One row of each consumer stays, for by it a replay knows that the consumer has a past that is partly forgotten.
    Only call it when the group has acknowledged all it applied before: see `ConsumerLoop`.
    """
    using = config.database
    sql = Sql(using)
    before = sql.time(clock.database_now(using) - config.inbox_retention)
    ids = sorted(group.elsewhere) if group.elsewhere is not None else [each.id for each in group.consumers]
    theirs = f" AND consumer {'NOT IN' if group.elsewhere is not None else 'IN'} ({marks(len(ids))})" if ids else ""
    condition = f"applied_at < %s{theirs} ORDER BY applied_at LIMIT %s"
    old = sql.rows(
        f"SELECT consumer, event_id FROM bandstand_events_inbox WHERE {condition}",  # noqa: S608 - marks
        (before, *ids, _AT_ONCE),
    )
    gone = _but_the_last(sql, old)
    if gone:
        pairs = [value for row in gone for value in row]
        places = marks(len(gone), "(%s, %s)")
        sql.change(
            f"DELETE FROM bandstand_events_inbox WHERE (consumer, event_id) IN (VALUES {places})",  # noqa: S608 - marks
            pairs,
        )
    return len(old) if len(old) == _AT_ONCE else len(gone)


def _but_the_last(sql: Sql, old: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows but the latest of each consumer that has no others."""
    spared = set()
    numbers = Counter(consumer for consumer, _ in old)
    latest = dict(old)
    for consumer, number in numbers.items():
        kept = sql.rows(
            "SELECT 1 FROM bandstand_events_inbox WHERE consumer = %s AND applied_at IS NOT NULL LIMIT %s",
            (consumer, number + 1),
        )
        if len(kept) <= number:
            spared.add((consumer, latest[consumer]))
    return [row for row in old if tuple(row) not in spared]


def purge_dead_letters(config: EventsConfig) -> int:
    """Forget dead letters that were replayed or discarded longer ago than the retention."""
    before = clock.database_now(config.database) - config.dead_letter_retention
    closed = DeadLetter.objects.using(config.database).filter(closed_at__lt=before)
    ids = list(closed.order_by("closed_at").values_list("pk", flat=True)[:_AT_ONCE])
    if ids:
        DeadLetter.objects.using(config.database).filter(pk__in=ids).delete()
    return len(ids)


def purge_actions(config: EventsConfig) -> int:
    """Forget what people did by hand longer ago than the retention."""
    trail = EventAction.objects.using(config.database)
    before = clock.database_now(config.database) - config.action_retention
    old = [row_id for row_id, at in trail.order_by("id").values_list("pk", "at")[:_AT_ONCE] if at < before]
    trail.filter(pk__in=old).delete()
    return len(old)


class Housekeeping:
    """Runs purges every so often, and again soon while they still find full batches."""

    def __init__(self, *purges: Callable[[], int], every: timedelta = timedelta(seconds=30)) -> None:
        self._purges = purges
        self._every = every.total_seconds()
        self._due = clock.monotonic() + self._every

    def run_due(self) -> None:
        """Run them if it is time."""
        now = clock.monotonic()
        if now < self._due:
            return
        full = [_purged(purge) for purge in self._purges]
        self._due = clock.monotonic() + (_SOON_SECONDS if any(full) else self._every)


def _purged(purge: Callable[[], int]) -> bool:
    """Purge batch after batch for a moment, as busy tables ask for; True when the last batch was still a full one."""
    until = clock.monotonic() + _LONGEST_SECONDS
    while full := purge() >= _AT_ONCE:
        if clock.monotonic() >= until:
            break
    return full


def bus_purge(bus: Bus, config: EventsConfig) -> Callable[[], int]:
    """The trimming of the bus as a purge."""
    return lambda: bus.trim(config.bus_retention)


def store_purge(store: Bus | None, config: EventsConfig) -> Callable[[], int]:
    """The trimming of the event store, if there is one, as a purge."""
    return lambda: 0 if store is None else store.trim(config.store_retention)
