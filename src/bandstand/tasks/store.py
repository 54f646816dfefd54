"""The statements by which tasks are enqueued, claimed, kept and ended: one for a batch wherever there is a batch.

Raw SQL, since every task pays for it. A claim raises the row's fence; whatever is written about a task names the fence
it was claimed under, so that a worker whose lease has passed to another can write nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connections, transaction

from bandstand import clock
from bandstand.events._sql import Sql, as_time, as_uuid, marks

__all__ = [
    "Claim",
    "Ended",
    "NewTask",
    "claim",
    "claim_sent",
    "end",
    "insert",
    "next_moment",
    "release",
    "renew",
    "wake",
]

_TABLE = "bandstand_tasks_task"
_INSERTED = (
    "id, task, backend, carrier, queue, priority, arguments, correlation_id, traceparent, unique_key, state, next_at,"
    " run_after, enqueued_at"
)
_INSERT = f"INSERT INTO {_TABLE} ({_INSERTED}) VALUES ({marks(14)}) ON CONFLICT (unique_key) DO NOTHING"  # noqa: S608 - our own names
_CLAIMED = (
    "id, fence, attempts, task, backend, queue, priority, arguments, correlation_id, traceparent, workers, run_after,"
    " enqueued_at, started_at"
)
_TAKE = f"""
    UPDATE {_TABLE} SET state = 'running', fence = fence + 1, attempts = attempts + 1, workers = workers || %s,
           next_at = %s, attempted_at = %s, started_at = coalesce(started_at, %s)"""  # noqa: S608 - our own names
_READY = f"""
    WITH chosen AS MATERIALIZED (
         SELECT id AS chosen_id FROM {_TABLE} WHERE state = 'ready' AND carrier = %s
          ORDER BY priority DESC, id LIMIT %s {{lock}})"""  # noqa: S608 - our own names
_CLAIM = f"{_READY} {_TAKE} FROM chosen WHERE id = chosen_id RETURNING {_CLAIMED}"
_SEND = f"""{_READY} UPDATE {_TABLE} SET state = 'sent', fence = fence + 1, next_at = %s
    FROM chosen WHERE id = chosen_id RETURNING {_CLAIMED}"""  # noqa: S608 - our own names
_CLAIM_SENT = f"{_TAKE} WHERE id = %s AND fence = %s AND state = 'sent' RETURNING {_CLAIMED}"
_WAKE = f"""
    UPDATE {_TABLE} SET state = 'ready', next_at = NULL WHERE id IN (
           SELECT id FROM {_TABLE} WHERE next_at <= %s ORDER BY next_at LIMIT %s {{lock}}) RETURNING carrier"""  # noqa: S608 - our own names
# A lease that has lapsed is no harm while nobody else has claimed the task: the fence is still this claim's.
_HELD = "state IN ('running', 'sent', 'ready')"
_HELD_IDS = _HELD + " AND (id, fence) IN (VALUES {})"
_SUCCEED = f"""UPDATE {_TABLE} SET state = 'successful', finished_at = %s, next_at = NULL, unique_key = NULL,
    result = 'null' WHERE {_HELD_IDS}"""  # noqa: S608 - our own names
_END = f"""UPDATE {_TABLE} SET state = %s, finished_at = %s, next_at = %s, result = %s, error = %s, reason = %s,
    traceback = %s, unique_key = CASE WHEN %s THEN NULL ELSE unique_key END
    WHERE {_HELD} AND id = %s AND fence = %s"""  # noqa: S608 - our own names
_RENEW = f"""UPDATE {_TABLE} SET state = 'running', next_at = %s
    WHERE state IN ('running', 'ready') AND (id, fence) IN (VALUES {{}})"""  # noqa: S608 - our own names
_RELEASE = f"UPDATE {_TABLE} SET state = 'ready', next_at = NULL, attempts = attempts - %s WHERE {_HELD_IDS}"  # noqa: S608 - our own names

_WOKEN_AT_ONCE = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTask:
    """A task about to be written."""

    id: UUID
    task: str
    backend: str
    carrier: str
    queue: str
    priority: int
    arguments: str
    correlation_id: str
    traceparent: str
    unique_key: str | None
    run_after: datetime | None
    enqueued_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A task that this process has taken; *attempts* counts the present one."""

    id: UUID
    fence: int
    attempts: int
    task: str
    backend: str
    queue: str
    priority: int
    arguments: str
    correlation_id: str
    traceparent: str
    workers: str
    run_after: datetime | None
    enqueued_at: datetime
    started_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How an attempt ended: with a JSON *result*, or with an error, to be tried again after *pause* or given up."""

    claim: Claim
    result: str | None = None
    error: str = ""
    reason: str = ""
    traceback: str = ""
    pause: timedelta | None = None
    shown: Any = None
    """The result as the function saw it, for those who listen to Django's signal."""

    @property
    def succeeded(self) -> bool:
        """Whether the function returned."""
        return self.result is not None

    @property
    def is_last(self) -> bool:
        """Whether nothing more will be tried."""
        return self.succeeded or self.pause is None


def insert(new: NewTask, *, using: str) -> UUID | None:
    """Write a task; None when it was written, else the id of the unfinished one that has its key."""
    sql = Sql(using)
    delayed = new.run_after is not None and new.run_after > new.enqueued_at
    state, next_at = ("waiting", sql.time(new.run_after)) if new.run_after and delayed else ("ready", None)
    row = (
        *(sql.uuid(new.id), new.task, new.backend, new.carrier, new.queue, new.priority, new.arguments),
        *(new.correlation_id, new.traceparent, new.unique_key, state, next_at),
        *(sql.time(new.run_after) if new.run_after else None, sql.time(new.enqueued_at)),
    )
    while not sql.change(_INSERT, row):
        for (known,) in sql.rows(f"SELECT id FROM {_TABLE} WHERE unique_key = %s", (new.unique_key,)):  # noqa: S608 - our own names
            return as_uuid(known)
    return None  # the one in the way may end between the two statements: then this one is written after all


def claim(carrier: str, worker: str, *, limit: int, lease: timedelta, using: str) -> list[Claim]:
    """Reserve up to *limit* ready tasks for *lease*, the most urgent first; a look costs no write lock."""
    sql, now = Sql(using), clock.database_now(using)
    if not sql.rows(f"SELECT 1 FROM {_TABLE} WHERE state = 'ready' AND carrier = %s LIMIT 1", (carrier,)):  # noqa: S608 - our own names
        return []
    moments = (sql.time(now + lease), sql.time(now), sql.time(now))
    rows = sql.rows(_CLAIM.format(lock=_lock(using)), (carrier, limit, f"{worker} ", *moments))
    return sorted((_claim(row) for row in rows), key=lambda found: (-found.priority, found.id))


def send(carrier: str, *, limit: int, lease: timedelta, using: str) -> list[Claim]:
    """Reserve up to *limit* ready tasks to be handed to a broker; they are ready again when *lease* is over."""
    sql, until = Sql(using), clock.database_now(using) + lease
    if not sql.rows(f"SELECT 1 FROM {_TABLE} WHERE state = 'ready' AND carrier = %s LIMIT 1", (carrier,)):  # noqa: S608 - our own names
        return []
    rows = sql.rows(_SEND.format(lock=_lock(using)), (carrier, limit, sql.time(until)))
    return sorted((_claim(row) for row in rows), key=lambda found: (-found.priority, found.id))


def claim_sent(task_id: UUID, fence: int, worker: str, *, lease: timedelta, using: str) -> Claim | None:
    """Take the task that a broker delivered; None when it was delivered before, or handed over again since."""
    sql, now = Sql(using), clock.database_now(using)
    moments = (sql.time(now + lease), sql.time(now), sql.time(now))
    rows = sql.rows(_CLAIM_SENT, (f"{worker} ", *moments, sql.uuid(task_id), fence))
    return _claim(rows[0]) if rows else None


def wake(*, using: str) -> int:
    """Make ready whatever has waited long enough or whose worker was not heard of; return how many of a batch."""
    sql, now = Sql(using), clock.database_now(using)
    first = next_moment(using=using)
    if first is None or first > now:
        return 0
    return len(sql.rows(_WAKE.format(lock=_lock(using)), (sql.time(now), _WOKEN_AT_ONCE)))


def next_moment(*, using: str) -> datetime | None:
    """When the first of the waiting and of the held becomes ready."""
    statement = f"SELECT next_at FROM {_TABLE} WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1"  # noqa: S608 - our own names
    return next((as_time(moment) for (moment,) in Sql(using).rows(statement)), None)


def end(ended: Sequence[Ended], *, using: str) -> set[UUID]:
    """Write down how attempts ended, in one transaction; return the ids that were no longer theirs to end."""
    sql, now = Sql(using), clock.database_now(using)
    plain = [each.claim for each in ended if each.result == "null"]
    lost: set[UUID] = set()
    with transaction.atomic(using=using):
        if plain:
            statement = _SUCCEED.format(_places(plain)) + " RETURNING id"
            kept = {as_uuid(row[0]) for row in sql.rows(statement, (sql.time(now), *_pairs(sql, plain)))}
            lost |= {each.id for each in plain} - kept
        for each in ended:
            if each.result != "null" and not sql.change(_END, _ending(sql, each, now)):
                lost.add(each.claim.id)
    return lost


def renew(claims: Collection[Claim], *, lease: timedelta, using: str) -> int:
    """Keep what this process runs for another *lease*, also what lapsed and nobody took; return how many it has."""
    if not claims:
        return 0
    sql = Sql(using)
    until = sql.time(clock.database_now(using) + lease)
    return sql.change(_RENEW.format(_places(claims)), (until, *_pairs(sql, claims)))


def release(claims: Collection[Claim], *, using: str, attempts: int = 1) -> None:
    """Give back what was claimed and not begun; *attempts* are not counted."""
    if claims:
        sql = Sql(using)
        sql.change(_RELEASE.format(_places(claims)), (attempts, *_pairs(sql, claims)))


def _lock(using: str) -> str:
    return "FOR UPDATE SKIP LOCKED" if connections[using].features.has_select_for_update_skip_locked else ""


def _places(claims: Collection[Claim]) -> str:
    return marks(len(claims), "(%s, %s)")


def _pairs(sql: Sql, claims: Collection[Claim]) -> list[Any]:
    return [value for each in claims for value in (sql.uuid(each.id), each.fence)]


def _ending(sql: Sql, ended: Ended, now: datetime) -> tuple[Any, ...]:
    state = "successful" if ended.succeeded else "failed" if ended.is_last else "waiting"
    finished_at = sql.time(now) if ended.is_last else None
    again = None if ended.pause is None else sql.time(now + ended.pause)
    texts = (ended.result, ended.error[:200], ended.reason, ended.traceback)
    return (state, finished_at, again, *texts, ended.is_last, sql.uuid(ended.claim.id), ended.claim.fence)


def _claim(row: tuple[Any, ...]) -> Claim:
    *plain, run_after, enqueued_at, started_at = row
    names = _CLAIMED.split(", ")
    values = dict(zip(names, plain, strict=False))
    return Claim(
        **{**values, "id": as_uuid(values["id"])},
        run_after=as_time(run_after) if run_after else None,
        enqueued_at=as_time(enqueued_at),
        started_at=as_time(started_at) if started_at else None,
    )
