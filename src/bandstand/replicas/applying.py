"""Applying events to a replica: the newest of each key, in two set-based statements, in any order of arrival.

The first moves the marks, and only those that stand at an older event: the row lock it takes on each makes the rest
safe against others that apply events of the same keys. The second writes or removes the rows whose marks moved.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db import models, transaction

from bandstand import clock
from bandstand.config import section
from bandstand.errors import InternalError
from bandstand.events import Envelope, Event
from bandstand.events._sql import Sql, marks
from bandstand.events.config import EventsConfig
from bandstand.observability.metrics import counter
from bandstand.replicas.declaration import Declaration, declaration
from bandstand.replicas.models import Mark, Replica

__all__ = ["WrongSubject", "empty", "fill", "keep", "remove"]

R = TypeVar("R", bound=Replica)
Batch = Sequence[tuple[Event, Envelope]]

_AT_ONCE = 500
_MOVE = """
    INSERT INTO bandstand_replicas_mark AS mark (replica, key, sequence, applied_at, removed_at) VALUES {}
    ON CONFLICT (replica, key) DO UPDATE
    SET sequence = excluded.sequence, applied_at = excluded.applied_at, removed_at = excluded.removed_at
    WHERE mark.sequence < excluded.sequence RETURNING key"""
# What the owner shows is at least as new as every event applied before it was asked; the sequence stays theirs.
_SHOW = """
    INSERT INTO bandstand_replicas_mark AS mark (replica, key, sequence, applied_at, removed_at) VALUES {}
    ON CONFLICT (replica, key) DO UPDATE SET applied_at = excluded.applied_at
    WHERE mark.removed_at IS NULL AND (mark.sequence = 0 OR mark.applied_at < %s) RETURNING key"""

_events = counter("replica_events_total", "Events of replicas, by outcome.", ("replica", "outcome"))


class WrongSubject(InternalError):
    """An event's subject is not the key of the row it carries: its sequence says nothing about that row."""


def keep(declared: Declaration, batch: Batch) -> None:
    """Write the rows that these events carry, each unless its key stands at a newer event."""
    newest = _newest(declared, batch)
    moved = _move(declared, newest, removed=False)
    _write(declared, [_row(declared, event) for key, (event, _) in newest.items() if key in moved])
    _count(declared, batch, "kept", len(moved))


def remove(declared: Declaration, batch: Batch) -> None:
    """Remove the rows that these events name, each unless its key stands at a newer event, and leave tombstones."""
    newest = _newest(declared, batch)
    moved = _move(declared, newest, removed=True)
    keys = [declared.key.of(event) for key, (event, _) in newest.items() if key in moved]
    _plain(declared.model).filter(pk__in=keys).delete()
    _count(declared, batch, "removed", len(moved))


def fill(rows: Iterable[R], *, as_of: datetime | None = None) -> int:
    """Write *rows*, all of one replica, as their owner showed them; return how many were written.

    Events win: a key that an event was applied to stays as it is, unless that was before *as_of*, the moment by the
    database's clock after which the owner was asked. A removed row stays removed. Until the events under way at that
    moment have arrived, a row may once more show what it was before.
    """
    waiting, written = iter(rows), 0
    while chunk := list(islice(waiting, _AT_ONCE)):
        declared = declaration(type(chunk[0]))
        by_key = {_key(declared, row.pk): row for row in chunk}
        with transaction.atomic(using=_alias()):
            shown = _show(declared, sorted(by_key), as_of)
            _write(declared, [by_key[key] for key in sorted(shown)])
        written += len(shown)
    return written


def empty(declared: Declaration) -> None:
    """Remove every row and every mark of a replica, to build it again from history."""
    with transaction.atomic(using=_alias()):
        Mark.objects.using(_alias()).filter(replica=declared.name).delete()
        _plain(declared.model).all().delete()


def _newest(declared: Declaration, batch: Batch) -> dict[str, tuple[Event, Envelope]]:
    """The newest event of each key, in the order of the keys: two transactions then lock the marks in one order."""
    found: dict[str, tuple[Event, Envelope]] = {}
    for event, envelope in batch:
        key = _key(declared, declared.key.of(event))
        if key != envelope.subject:
            raise WrongSubject(f"{declared.name}: {envelope.type} about {envelope.subject!r} carries the key {key!r}")
        if key not in found or found[key][1].sequence < envelope.sequence:
            found[key] = (event, envelope)
    return dict(sorted(found.items()))


def _move(declared: Declaration, newest: Mapping[str, tuple[Event, Envelope]], *, removed: bool) -> set[str]:
    sql = Sql(_alias())
    now = sql.time(clock.database_now(sql.using))
    rows = [(declared.name, key, each.sequence, now, now if removed else None) for key, (_, each) in newest.items()]
    statement = _MOVE.format(marks(len(rows), "(%s, %s, %s, %s, %s)"))
    return {key for (key,) in sql.rows(statement, [value for row in rows for value in row])}


def _show(declared: Declaration, keys: Sequence[str], as_of: datetime | None) -> set[str]:
    sql = Sql(_alias())
    now = sql.time(clock.database_now(sql.using))
    statement = _SHOW.format(marks(len(keys), "(%s, %s, 0, %s, NULL)"))
    before = sql.time(as_of) if as_of else None
    return {key for (key,) in sql.rows(statement, [*(v for key in keys for v in (declared.name, key, now)), before])}


def _write(declared: Declaration, rows: Sequence[Replica]) -> None:
    """Insert the rows, or overwrite what is there; the marks are locked, so nobody else writes these keys."""
    others = [column.name for column in declared.columns[1:]]
    if others:
        _plain(declared.model).bulk_create(rows, update_conflicts=True, unique_fields=["pk"], update_fields=others)
    else:
        _plain(declared.model).bulk_create(rows, ignore_conflicts=True)


def _row(declared: Declaration, event: Event) -> Replica:
    values = {column.name: column.of(event) for column in declared.read_from(event.event_name)}
    return declared.model(**values, **declared.constants.get(event.event_name, {}))


def _key(declared: Declaration, value: Any) -> str:
    """A key as the subject of its events is written."""
    return str(declared.model._meta.pk.to_python(value))  # noqa: SLF001 - Django documents it


def _plain(model: type[Replica]) -> Any:
    """The rows, to be written."""
    return models.QuerySet(model, using=_alias())


def _alias() -> str:
    return section(EventsConfig).database


def _count(declared: Declaration, batch: Batch, outcome: str, number: int) -> None:
    _events.labels(declared.name, outcome).inc(number)
    _events.labels(declared.name, "older").inc(len(batch) - number)
