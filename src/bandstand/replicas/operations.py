"""What an operator asks of replicas and does to them; the management command is one way in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import Count, Max, Q

from bandstand.config import section
from bandstand.errors import BusinessRuleViolated, Conflict, NotFound
from bandstand.events import replaying
from bandstand.events.backends import current_bus
from bandstand.events.config import EventsConfig
from bandstand.events.models import DeadLetter, WaitingRow
from bandstand.replicas import backfilling
from bandstand.replicas.consuming import consumers_of, replicas
from bandstand.replicas.declaration import Declaration
from bandstand.replicas.models import Mark

__all__ = [
    "CannotAskOwner",
    "Report",
    "begin_backfill",
    "begin_rebuild",
    "fill_from_owner",
    "named",
    "reports",
    "verify",
    "way_of",
]


class CannotAskOwner(BusinessRuleViolated):
    """No function of this service yields the rows as their owner shows them."""

    rule = "owner_cannot_be_asked"


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a replica stands. `waiting` and `dead` are events that could not be applied to it."""

    name: str
    rows: int
    tombstones: int
    applied_at: datetime | None
    lag: int | None
    """Events of all kinds that its group has not acknowledged; None while that consumes nothing yet."""
    waiting: int
    dead: int


def named(name: str) -> Declaration:
    """The replica *name*: `orders.catalogueproduct`, or without the app, in any case. Raises NotFound."""
    wanted = name.lower()
    found = [each for each in replicas() if wanted in (each.name, each.name.partition(".")[2])]
    if not found:
        known = ", ".join(each.name for each in replicas()) or "none"
        raise NotFound(f"there is no replica {name!r}; this service has: {known}")
    return found[0]


def reports() -> list[Report]:
    """How every replica stands, by name. Raises BusUnavailable."""
    lags = _lags()
    return [_report(each, lags.get(_group(each))) for each in replicas()]


def fill_from_owner(declared: Declaration) -> int:
    """Write what the owner shows; return how many rows. Raises CannotAskOwner, and Conflict before events arrive."""
    rows, group = _rows(declared), _group(declared)
    if group not in _lags():
        what = f"{group} does not consume events yet: start its worker, then fill the replica"
        raise Conflict(what, conflict="not_consuming")
    return backfilling.backfill(rows)


def verify(declared: Declaration) -> backfilling.Comparison:
    """Hold the replica against what the owner shows. Raises CannotAskOwner."""
    return backfilling.compare(declared, _rows(declared))


def begin_backfill(declared: Declaration) -> None:
    """Note a replay of all the bus still has for a replica; `replaying.run` does it. Raises as `replaying.begin`.

    However old: what was applied before and has been forgotten by the inbox stands at a newer event, or at itself.
    """
    replaying.begin([each.name for each in consumers_of(declared)], whole=True)


def begin_rebuild(declared: Declaration) -> None:
    """Empty a replica and note a replay of all history for it; raises as `replaying.begin_rebuild`."""
    replaying.begin_rebuild(consumers_of(declared)[0].name)


def way_of(declared: Declaration) -> Literal["owner", "history"]:
    """How a replica is best filled: by asking its owner, who has it all, where this service knows how to."""
    return "owner" if backfilling.shown_by_owner(declared) else "history"


def _rows(declared: Declaration) -> backfilling.Rows:
    rows = backfilling.shown_by_owner(declared)
    if rows is None:
        label = declared.model.__name__
        raise CannotAskOwner(f"nothing yields the rows of the owner: declare a function with @backfills({label})")
    return rows


def _group(declared: Declaration) -> str:
    return consumers_of(declared)[0].group_name


def _lags() -> dict[str, int]:
    return {report.name: report.lag for report in current_bus().groups()}


def _report(declared: Declaration, lag: int | None) -> Report:
    using = section(EventsConfig).database
    found = Mark.objects.using(using).filter(replica=declared.name)
    removed = Q(removed_at__isnull=False)
    counted = found.aggregate(
        rows=Count("key", filter=~removed), gone=Count("key", filter=removed), at=Max("applied_at")
    )
    ids = [each.id for each in consumers_of(declared)]
    return Report(
        name=declared.name,
        rows=counted["rows"],
        tombstones=counted["gone"],
        applied_at=counted["at"],
        lag=lag,
        waiting=WaitingRow.objects.using(using).filter(consumer__in=ids).count(),
        dead=DeadLetter.objects.using(using).filter(consumer__in=ids, state=DeadLetter.State.DEAD).count(),
    )
