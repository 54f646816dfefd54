"""Journeys in the database: moved by the transaction that applies an event, and by the look for overdue ones.

An unfinished transaction of the service holds at most rows that it inserted itself, and the look locks one row at a
time, so neither can be part of a deadlock; the one reader of events locks in the order of keys.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from django.db import models, transaction
from django.db.models import Count, Q

from bandstand import clock
from bandstand.config import section
from bandstand.events._sql import Sql, marks
from bandstand.events.config import EventsConfig
from bandstand.sagas.choreography.config import ChoreographiesConfig
from bandstand.sagas.choreography.declaration import Choreography, choreographies
from bandstand.sagas.choreography.expectation import Progress, State, advance, judge
from bandstand.sagas.choreography.models import ChoreographyWatch
from bandstand.sagas.choreography.reports import Moved, report

__all__ = ["begin", "due", "follow", "look", "purge", "stalled"]

_AT_ONCE = 500
_COLUMNS = "id, name, key, state, seen, waiting_for, due_at, note, correlation_id, began_at, moved_at"
_MOVED = ("state", "seen", "waiting_for", "due_at", "note", "moved_at")
_INSERT = f"INSERT INTO bandstand_choreography_watch ({_COLUMNS}) VALUES {{}} ON CONFLICT "  # noqa: S608 - ours
_BEGIN = f"{_INSERT} DO NOTHING RETURNING key"
_MOVE = f"{_INSERT} (name, key) DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in _MOVED)}"
_ENDED = (State.COMPLETED.value, State.DISMISSED.value)
_TROUBLED = (State.STALLED.value, State.DEVIATED.value)


def begin(choreography: type[Choreography], event: str, travellers: Mapping[str, str]) -> None:
    """Note in the open transaction that journeys begin with *event*; *travellers* are keys with correlation ids."""
    now = clock.database_now(_using())
    moves = _insert(choreography, event, travellers, now)
    begun = {moved.key for moved in moves}
    left = {key: each for key, each in travellers.items() if key not in begun}
    if left:  # a later event was here first
        moves += _move(choreography, event, left, now)
    transaction.on_commit(partial(report, moves), using=_using())


def follow(choreography: type[Choreography], event: str, travellers: Mapping[str, str]) -> None:
    """Note in the open transaction that *event* has come to journeys, most of which are known."""
    now = clock.database_now(_using())
    moves: list[Moved] = []
    left = dict(travellers)
    while left:
        moves += _move(choreography, event, left, now)
        begun = _insert(choreography, event, left, now)
        moves += begun
        for moved in begun:  # what is left then, others have begun meanwhile: it is moved in the next round
            del left[moved.key]
    transaction.on_commit(partial(report, moves), using=_using())


def due(now: datetime) -> models.QuerySet[ChoreographyWatch]:
    """Journeys whose time has come by *now*, of those that this process knows."""
    mine = [each.name for each in choreographies]
    return ChoreographyWatch.objects.using(_using()).filter(due_at__lte=now, name__in=mine)


def look(limit: int = _AT_ONCE) -> int:
    """Judge journeys whose time has come, each in a transaction of its own; return how many were judged."""
    using = _using()
    now = clock.database_now(using)
    judged = 0
    for watch_id in list(due(now).order_by("due_at").values_list("pk", flat=True)[:limit]):
        with transaction.atomic(using=using):
            row = due(now).select_for_update(skip_locked=True).filter(pk=watch_id).first()
            choreography = choreographies.get(row.name) if row is not None else None
            if row is not None and choreography is not None:
                before, progress = State(row.state), judge(choreography.expectation(), row.moments, now)
                _moved_to(row, progress, now).save(update_fields=_MOVED)
                transaction.on_commit(partial(report, [_told(row, before, progress, "")]), using=using)
                judged += 1
    return judged


def stalled() -> list[tuple[str, int]]:
    """How many journeys of each choreography stand still, those with none among them."""
    rows = ChoreographyWatch.objects.using(_using()).filter(state=State.STALLED.value)
    found = dict(rows.values_list("name").annotate(number=Count("id")))
    return [(each.name, found.get(each.name, 0)) for each in choreographies]


def purge() -> int:
    """Forget journeys that ended longer ago than their retention, at most a batch of each kind; return how many."""
    using, config = _using(), section(ChoreographiesConfig)
    now = clock.database_now(using)
    rows = ChoreographyWatch.objects.using(using)
    before = now - config.trouble_retention
    old = (
        Q(state__in=_ENDED, moved_at__lt=now - config.retention),
        Q(state__in=_TROUBLED, moved_at__lt=before),
        Q(state=State.WATCHING.value, moved_at__lt=before, due_at__lt=before),  # their declaration is gone
    )
    ids = [row_id for each in old for row_id in rows.filter(each).values_list("pk", flat=True)[:_AT_ONCE]]
    rows.filter(pk__in=ids).delete()
    return len(ids)


def _using() -> str:
    return section(EventsConfig).database


def _insert(choreography: type[Choreography], event: str, travellers: Mapping[str, str], now: datetime) -> list[Moved]:
    """Begin those journeys that are not known; ours alone, where others begin the same."""
    if not travellers:
        return []
    progress = advance(choreography.expectation(), {}, event, now)
    born = {"name": choreography.name, "began_at": now}
    rows = [
        _moved_to(ChoreographyWatch(**born, key=key, correlation_id=travellers[key]), progress, now)
        for key in sorted(travellers)
    ]
    sql = Sql(_using())
    begun = {key for (key,) in sql.rows(_BEGIN.format(_places(rows)), _values(rows, sql))}
    return [_told(row, None, progress, event) for row in rows if row.key in begun]


def _move(choreography: type[Choreography], event: str, left: dict[str, str], now: datetime) -> list[Moved]:
    """Move those journeys that are known, and take them out of *left*."""
    known = ChoreographyWatch.objects.using(_using()).select_for_update()
    moves, rows = [], []
    for row in known.filter(name=choreography.name, key__in=list(left)).order_by("key"):
        del left[row.key]
        seen = row.moments
        if event not in seen:
            before, progress = State(row.state), advance(choreography.expectation(), seen, event, now)
            rows.append(_moved_to(row, progress, now))
            moves.append(_told(row, before, progress, event))
    if rows:  # they are there and ours: one statement for all of them
        sql = Sql(_using())
        sql.change(_MOVE.format(_places(rows)), _values(rows, sql))
    return moves


def _moved_to(row: ChoreographyWatch, progress: Progress, now: datetime) -> ChoreographyWatch:
    row.state, row.seen, row.note = (
        progress.state.value,
        msgspec.json.encode(dict(progress.seen)).decode(),
        progress.note,
    )
    row.waiting_for, row.moved_at = " ".join(progress.waiting_for), now
    row.due_at = progress.due_at if progress.state is State.WATCHING else None
    return row


def _told(row: ChoreographyWatch, before: State | None, progress: Progress, event: str) -> Moved:
    facts = {"name": row.name, "key": row.key, "correlation_id": row.correlation_id}
    return Moved(**facts, before=before, progress=progress, event=event)


def _places(rows: Sequence[ChoreographyWatch]) -> str:
    return marks(len(rows), f"({marks(11)})")


def _values(rows: Iterable[ChoreographyWatch], sql: Sql) -> list[Any]:
    return [value for row in rows for value in _columns(row, sql)]


def _columns(row: ChoreographyWatch, sql: Sql) -> Iterator[Any]:
    yield from (sql.uuid(row.id), row.name, row.key, row.state, row.seen, row.waiting_for)
    yield sql.time(row.due_at) if row.due_at else None
    yield from (row.note, row.correlation_id, sql.time(row.began_at), sql.time(row.moved_at))
