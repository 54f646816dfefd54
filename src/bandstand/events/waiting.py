"""Events that failed for a consumer: retried with backoff while later ones of their subject wait behind them.

They wait in the service's own database, not on the bus: so order per subject holds on every bus, other subjects and
other consumers go on, and no event is ever requeued in a loop.
"""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery

from bandstand import clock
from bandstand.database.texts import storable, traceback_of
from bandstand.events._sql import Sql, marks
from bandstand.events.backends import Message
from bandstand.events.config import EventsConfig
from bandstand.events.groups import Group
from bandstand.events.handling import HandlerFailed, Job, Unusable, handle
from bandstand.events.measures import dead_lettered, retried
from bandstand.events.models import DeadLetter, WaitingRow
from bandstand.events.pausing import standing_by
from bandstand.events.retrying import pause_after

__all__ = ["Retries", "bury", "keys_waiting", "put_behind", "put_failed"]

log = logging.getLogger(__name__)

_AT_ONCE = 100

# From one name to the next by the index, for a paused consumer may have very many rows.
_NAMES = """
    WITH RECURSIVE names (consumer) AS (
        SELECT min(consumer) FROM bandstand_events_waiting
         UNION ALL
        SELECT (SELECT min(later.consumer) FROM bandstand_events_waiting later WHERE later.consumer > names.consumer)
          FROM names WHERE names.consumer IS NOT NULL)
    SELECT consumer FROM names WHERE consumer IS NOT NULL"""


def keys_waiting(sql: Sql, subjects: Collection[str]) -> set[tuple[str, str]]:
    """Which (consumer, subject) of these subjects have an event waiting."""
    statement = (
        f"SELECT DISTINCT consumer, subject FROM bandstand_events_waiting WHERE subject IN ({marks(len(subjects))})"  # noqa: S608 - placeholders only
    )
    return {(consumer, subject) for consumer, subject in sql.rows(statement, list(subjects))}


def put_behind(job: Job, config: EventsConfig) -> None:
    """Let an event wait behind one of its subject; runs in the transaction that claimed it."""
    _wait(job, config).save(using=config.database, force_insert=True)
    _unapply(job, config)


def put_failed(job: Job, error: Exception, config: EventsConfig) -> None:
    """Let an event that has just failed for the first time wait, in the transaction that claimed it."""
    row = _wait(job, config)
    _fail(row, error, config)
    _unapply(job, config)


def bury(row: WaitingRow, config: EventsConfig) -> None:
    """Make a dead letter of an event, closing what it was before; the events behind it go on."""
    now = clock.database_now(config.database)
    DeadLetter.objects.using(config.database).update_or_create(
        consumer=row.consumer,
        event_id=row.event_id,
        defaults={
            "type": row.type,
            "subject": row.subject,
            "envelope": row.envelope,
            "attempts": row.attempts,
            "reason": row.reason,
            "traceback": row.traceback,
            "state": DeadLetter.State.DEAD,
            "first_failed_at": row.first_failed_at or now,
            "died_at": now,
            "closed_at": None,
        },
    )
    if row.pk is not None:
        row.delete(using=config.database)
    facts = _facts(row)
    transaction.on_commit(lambda: _tell(facts), using=config.database)  # a batch that fails is applied once more


class Retries:
    """Runs the waiting events of one group when they are due. One process per group does it."""

    def __init__(self, group: Group, config: EventsConfig) -> None:
        self._consumers = {each.id: each for each in group.consumers}
        self._config = config
        self._group = group
        self._next: datetime | None = None

    def run_due(self) -> timedelta:
        """Retry what is due, each key until it fails again; return how long nothing more will be due, at most."""
        now = clock.database_now(self._config.database)
        if self._next is None or self._next <= now:
            due, later = self._look(now)
            for row in due:
                self._follow(row)
            # New rows of other processes (a replay) and of keys just tried are found by the safety poll.
            self._next = now if due else min([*later, now + self._config.safety_poll])
        return max(timedelta(0), self._next - now)

    def expect(self) -> None:
        """Look at the table again at the next call: an event has just begun to wait."""
        self._next = None

    def _look(self, now: datetime) -> tuple[list[WaitingRow], list[datetime]]:
        """The keys that are due, an equal share for each consumer, and when each consumer's next one will be."""
        sql = Sql(self._config.database)
        idle = standing_by(sql)
        names = [name for (name,) in sql.rows(_NAMES) if self._group.owns(name) and name not in idle]
        due: list[WaitingRow] = []
        later: list[datetime] = []
        for name in names:
            rows = WaitingRow.objects.using(self._config.database).filter(consumer=name)
            # One look into the index for each row; a join may compare every two rows that wait for the same key.
            first = rows.filter(subject=OuterRef("subject")).order_by("id").values("id")[:1]
            # Who waits longest goes first: keys that fail again and again would else keep all after them waiting.
            heads = rows.filter(id=Subquery(first), next_at__lte=now).order_by("next_at", "id")
            due += heads[: max(1, _AT_ONCE // len(names))]
            later += rows.filter(next_at__gt=now).order_by("next_at").values_list("next_at", flat=True)[:1]
        return due, later

    def _follow(self, row: WaitingRow) -> None:
        """Apply *row* and then those behind it, until one fails."""
        same = WaitingRow.objects.using(self._config.database).filter(consumer=row.consumer, subject=row.subject)
        for following in same.order_by("id")[:_AT_ONCE]:
            if not self._attempt(following):
                break

    def _attempt(self, row: WaitingRow) -> bool:
        """Try one event; True when the next of its key may follow."""
        job = self._job(row)
        if row.attempts:
            retried.labels(row.consumer).inc()
        try:
            with transaction.atomic(using=self._config.database):
                if not {row.consumer, self._group.name}.isdisjoint(standing_by(Sql(self._config.database))):
                    return False
                if _reapply(job, self._config):
                    handle(job, using=self._config.database)
                WaitingRow.objects.using(self._config.database).filter(pk=row.pk).delete()
        except (HandlerFailed, Unusable, IntegrityError) as error:
            with transaction.atomic(using=self._config.database):
                return _fail(row, error, self._config)
        return True

    def _job(self, row: WaitingRow) -> Job:
        message = Message(event_id=str(row.event_id), type=row.type, subject=row.subject, body=row.envelope)
        return Job(consumer_id=row.consumer, consumer=self._consumers.get(row.consumer), message=message)


def _tell(facts: dict[str, object]) -> None:
    dead_lettered.labels(facts["consumer"]).inc()
    log.error("event.dead_lettered", extra=facts)


def _wait(job: Job, config: EventsConfig) -> WaitingRow:
    return WaitingRow(
        consumer=job.consumer_id,
        event_id=job.event_id,
        type=job.message.type,
        subject=job.message.subject,
        envelope=job.message.body,
        next_at=clock.database_now(config.database),
    )


def _fail(row: WaitingRow, error: Exception, config: EventsConfig) -> bool:
    """Note a failure; True when it was the last one and the event is now a dead letter."""
    now = clock.database_now(config.database)
    row.attempts += 1
    row.first_failed_at = row.first_failed_at or now
    row.reason = storable(str(error))
    row.traceback = traceback_of(error.__cause__ or error)
    if isinstance(error, Unusable) or row.attempts >= config.attempts:
        bury(row, config)
        return True
    row.next_at = now + pause_after(row.attempts, config)
    row.save(using=config.database)
    log.warning("event.handling_failed", extra=_facts(row))
    return False


def _facts(row: WaitingRow) -> dict[str, object]:
    names = ("consumer", "attempts", "reason")
    return {
        "event_id": str(row.event_id),
        "event_type": row.type,
        "subject": row.subject,
        **{name: getattr(row, name) for name in names},
    }


def _reapply(job: Job, config: EventsConfig) -> bool:
    """Mark a claimed event as applied; False when it has been meanwhile, by whomever."""
    sql = Sql(config.database)
    now = sql.time(clock.database_now(config.database))
    return bool(
        sql.change(
            "UPDATE bandstand_events_inbox SET applied_at = %s"
            " WHERE consumer = %s AND event_id = %s AND applied_at IS NULL",
            (now, job.consumer_id, sql.uuid(job.event_id)),
        )
    )


def _unapply(job: Job, config: EventsConfig) -> None:
    sql = Sql(config.database)
    sql.change(
        "UPDATE bandstand_events_inbox SET applied_at = NULL WHERE consumer = %s AND event_id = %s",
        (job.consumer_id, sql.uuid(job.event_id)),
    )
