"""Applying deliveries: the inbox row and the effect in one transaction, so that each event counts once per consumer.

Optimistic: as many deliveries as fit share one transaction, because a commit costs more than a handler. If one of
them fails, the transaction is rolled back and each gets its own, so that only the guilty one waits.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence

from django.db import IntegrityError, transaction

from bandstand import clock
from bandstand.events import registry, waiting
from bandstand.events._sql import Sql, as_uuid, marks
from bandstand.events.backends import Delivery
from bandstand.events.bookmarks import Bookmarks
from bandstand.events.config import EventsConfig
from bandstand.events.foreign import keepable
from bandstand.events.handling import HandlerFailed, Job, Opened, Unusable, handle_opened, opened
from bandstand.events.pausing import standing_by
from bandstand.events.registry import Consumer
from bandstand.lifecycle.crashpoints import crash_point, register_crash_points

__all__ = ["Inbox", "ReaderHeld"]

log = logging.getLogger(__name__)

register_crash_points(f"inbox.{point}" for point in ("before_apply", "after_apply", "after_commit", "after_ack"))

_CLAIM = """
    INSERT INTO bandstand_events_inbox (consumer, event_id, applied_at) VALUES {}
    ON CONFLICT DO NOTHING RETURNING consumer, event_id"""
# One text whatever the number of events: shorter to send, and the server may keep its plan.
_CLAIM_ARRAYS = """
    INSERT INTO bandstand_events_inbox (consumer, event_id, applied_at)
    SELECT claim.consumer, claim.event_id, %s FROM unnest(%s::text[], %s::uuid[]) AS claim (consumer, event_id)
    ON CONFLICT DO NOTHING RETURNING consumer, event_id"""


class ReaderHeld(Exception):
    """The reader of this group stands by: it is paused, or a replay is under way. Nothing was applied."""


class Inbox:
    """The consumers of one service and their memory of what they have applied."""

    def __init__(self, consumers: Sequence[Consumer], config: EventsConfig, *, group: str) -> None:
        self._config = config
        self._group = group
        self._bookmarks = Bookmarks(group, using=config.database)
        self._by_type: dict[str, list[tuple[str, Consumer]]] = {}
        for each in consumers:
            for name in each.types:
                self._by_type.setdefault(name, []).append((each.id, each))
        self._elsewhere = {name for each in registry.consumers() for name in each.types}
        self._size = config.consumer_batch

    @property
    def types(self) -> list[str]:
        """The event types that have a consumer."""
        return sorted(self._by_type)

    @property
    def size(self) -> int:
        """How many deliveries to take next, so that a transaction holds its locks for about the configured time."""
        return self._size

    def apply(self, deliveries: Sequence[Delivery], bookmarks: Mapping[str, int] | None = None) -> bool:
        """Apply *deliveries* or let them wait; True when some wait or died. On return all of it is committed.

        The *bookmarks* behind them are committed with them, or after the last where they had to be applied singly.
        Raises ReaderHeld or what the database raises, and then nothing is lost: the bus delivers again.
        """
        jobs = [job for delivery in deliveries for job in self._jobs(delivery)]
        crash_point("inbox.before_apply")
        try:
            with transaction.atomic(using=self._config.database):
                begun = clock.monotonic()  # the wait for the lock and the commit cost the same whatever the size
                set_aside = self._apply_together(jobs)
                self._adapt(clock.monotonic() - begun)
                self._bookmarks.keep(bookmarks or {})
                crash_point("inbox.after_apply")
        except (HandlerFailed, IntegrityError):
            outcomes = [self._apply_alone(job) for job in jobs]
            set_aside = any(outcomes)
            self._bookmarks.keep(bookmarks or {})
        crash_point("inbox.after_commit")
        return set_aside

    def _jobs(self, delivery: Delivery) -> list[Job]:
        message = delivery.message
        known: Sequence[tuple[str, Consumer | None]] | None = self._by_type.get(message.type)
        if known is None and message.type in self._elsewhere:
            return []  # still in the queue of a group that its consumer has left: the new one reads it too
        if known is None:
            known = [(self._group, None)]
        message, flaw = keepable(message)
        return [Job(consumer_id=id_, consumer=consumer, message=message, flaw=flaw) for id_, consumer in known]

    def _apply_together(self, jobs: Sequence[Job]) -> bool:
        if not jobs:
            return False
        sql = Sql(self._config.database)
        idle = standing_by(sql)  # first of all: see `end_batches`
        if self._group in idle:
            raise ReaderHeld
        fresh = self._claim(sql, jobs)
        blocked = waiting.keys_waiting(sql, {job.message.subject for job in jobs}) if fresh else set()
        ready: list[Opened] = []
        set_aside = False
        for job in self._first_of(jobs, fresh):
            if job.consumer_id in idle and not job.flaw:
                waiting.put_behind(job, self._config)  # not set aside: nothing is to be tried until it is resumed
            elif job.key in blocked and not job.flaw:
                waiting.put_behind(job, self._config)
                set_aside = True
            elif read := self._read(job):
                ready.append(read)
            else:
                set_aside = True
        self._hand_over(ready)
        return set_aside

    def _read(self, job: Job) -> Opened | None:
        """Read an event, or bury it where nobody ever can."""
        try:
            return opened(job)
        except Unusable as error:
            waiting.put_failed(job, error, self._config)
            return None

    def _hand_over(self, ready: Sequence[Opened]) -> None:
        by_consumer: dict[str, list[Opened]] = {}
        for each in ready:
            by_consumer.setdefault(each.consumer.id, []).append(each)
        for mine in by_consumer.values():
            for together in [mine] if mine[0].consumer.is_batch else [[each] for each in mine]:
                handle_opened(together, using=self._config.database)

    def _first_of(self, jobs: Sequence[Job], fresh: set[tuple[str, object]]) -> Iterator[Job]:
        """Those claimed, each once: the bus may deliver an event twice within one batch."""
        for job in jobs:
            claimed = (job.consumer_id, job.event_id)
            if claimed in fresh:
                fresh.discard(claimed)
                yield job

    def _apply_alone(self, job: Job) -> bool:
        """Apply one event in a transaction of its own: one that only fails at COMMIT must not take others along."""
        try:
            with transaction.atomic(using=self._config.database):
                set_aside = self._apply_together([job])
                crash_point("inbox.after_apply")
                return set_aside
        except (HandlerFailed, IntegrityError) as error:
            with transaction.atomic(using=self._config.database):
                if self._claim(Sql(self._config.database), [job]):
                    waiting.put_failed(job, error, self._config)
            return True

    def _claim(self, sql: Sql, jobs: Sequence[Job]) -> set[tuple[str, object]]:
        """Insert inbox rows and return those that were not there: the only events this transaction may apply."""
        now = sql.time(clock.database_now(self._config.database))
        if sql.is_postgresql:
            claimed = sql.rows(_CLAIM_ARRAYS, (now, [job.consumer_id for job in jobs], [job.event_id for job in jobs]))
        else:
            rows = [value for job in jobs for value in (job.consumer_id, sql.uuid(job.event_id), now)]
            claimed = sql.rows(_CLAIM.format(marks(len(jobs), "(%s, %s, %s)")), rows)
        return {(consumer, as_uuid(event_id)) for consumer, event_id in claimed}

    def _adapt(self, seconds: float) -> None:
        hold = self._config.consumer_hold.total_seconds()
        if seconds > hold:
            self._size = max(1, self._size // 2)
        elif seconds < hold / 2:
            self._size = min(self._config.consumer_batch, self._size * 2)
