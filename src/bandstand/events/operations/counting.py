"""How far behind everything is: groups on the bus, the outbox and the inbox of this service."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import Coalesce

from bandstand import clock
from bandstand.config import section
from bandstand.events import pausing, registry
from bandstand.events.backends import GroupReport, current_bus
from bandstand.events.config import EventsConfig
from bandstand.events.groups import groups
from bandstand.events.models import DeadLetter, InboxRow, OutboxRow, WaitingRow
from bandstand.events.operations.tailing import is_tail

__all__ = ["GroupLag", "InboxCount", "OutboxCount", "inbox_counts", "lags", "outbox_counts"]


@dataclass(frozen=True, kw_only=True)
class GroupLag:
    """A group: what it has not acknowledged on the bus, and what of it waits or died in the service's database.

    The counts of the database are None for the groups of other services.
    """

    group: str
    lag: int
    waiting: int | None
    dead: int | None
    oldest_seconds: float | None
    paused: bool | None
    types: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class OutboxCount:
    """Events of one type that the bus has not accepted; `retrying` are those it refused at least once."""

    type: str
    pending: int
    retrying: int
    dead: int
    oldest_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class InboxCount:
    """What one consumer has applied as far as it is remembered, and what of it waits or died."""

    consumer: str
    type: str
    applied: int
    waiting: int
    dead: int
    oldest_seconds: float | None
    paused: bool


def lags() -> list[GroupLag]:
    """Every group of the bus but those of tails. Raises BusUnavailable."""
    counts = inbox_counts()
    mine = {group.name: [each for each in counts if group.owns(each.consumer)] for group in groups()}
    return [_lag(report, mine.get(report.name)) for report in current_bus().groups() if not is_tail(report.name)]


def outbox_counts() -> list[OutboxCount]:
    """What is in the outbox, by type."""
    using = section(EventsConfig).database
    alive = Q(dead_at=None)
    rows = OutboxRow.objects.using(using).values("type").order_by("type")
    counted = rows.annotate(
        pending=Count("id", filter=alive),
        retrying=Count("id", filter=alive & Q(attempts__gt=0)),
        dead=Count("id", filter=~alive),
        oldest=Min("created_at", filter=alive),
    )
    return [
        OutboxCount(type=type_, pending=pending, retrying=retrying, dead=dead, oldest_seconds=_age(oldest, using))
        for type_, pending, retrying, dead, oldest in counted.values_list(
            "type", "pending", "retrying", "dead", "oldest"
        )
    ]


def inbox_counts() -> list[InboxCount]:
    """What each consumer has applied and what of it waits or died; also consumers whose code is gone."""
    using = section(EventsConfig).database
    applied = _by_consumer(InboxRow.objects.using(using).filter(applied_at__isnull=False))
    dead = _by_consumer(DeadLetter.objects.using(using).filter(state=DeadLetter.State.DEAD))
    waiting_rows = WaitingRow.objects.using(using)
    waiting = _by_consumer(waiting_rows)
    began = waiting_rows.values("consumer").annotate(began=Min(Coalesce("first_failed_at", "next_at")))
    oldest = dict(began.values_list("consumer", "began"))
    idle = pausing.paused()
    types = {each.id: each.event.event_name for each in registry.consumers()}
    return [
        InboxCount(
            consumer=name,
            type=types.get(name, ""),
            applied=applied.get(name, 0),
            waiting=waiting.get(name, 0),
            dead=dead.get(name, 0),
            oldest_seconds=_age(oldest.get(name), using),
            paused=name in idle,
        )
        for name in sorted({*types, *applied, *waiting, *dead})
    ]


def _lag(report: GroupReport, counts: Iterable[InboxCount] | None) -> GroupLag:
    found = list(counts or ())
    return GroupLag(
        group=report.name,
        lag=report.lag,
        waiting=None if counts is None else sum(each.waiting for each in found),
        dead=None if counts is None else sum(each.dead for each in found),
        oldest_seconds=max((each.oldest_seconds for each in found if each.oldest_seconds is not None), default=None),
        paused=None if counts is None else report.name in pausing.paused(),
        types=report.types,
    )


def _by_consumer(rows: "QuerySet[DeadLetter] | QuerySet[InboxRow] | QuerySet[WaitingRow]") -> dict[str, int]:
    return dict(rows.order_by().values("consumer").annotate(number=Count("*")).values_list("consumer", "number"))


def _age(moment: datetime | None, using: str) -> float | None:
    if moment is None:
        return None
    return max(0.0, round((clock.database_now(using) - moment).total_seconds(), 3))
