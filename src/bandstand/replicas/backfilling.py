"""Rows that were there before the replica was: from the owner's API, told from events by where they may write.

    @backfills(Recipient)
    def every_user() -> Iterator[Recipient]:
        for user in pages_of("/api/v1/users/"):
            yield Recipient(user_id=user.id, email=user.email)

The function lives in the service's `clients`. It may be run at any time, beside live events and more than once.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils.module_loading import autodiscover_modules

from bandstand import clock
from bandstand.config import section
from bandstand.events.config import EventsConfig

if TYPE_CHECKING:
    from bandstand.replicas.declaration import Declaration
    from bandstand.replicas.models import Replica

__all__ = ["Comparison", "backfill", "backfills", "compare", "shown_by_owner"]

R = TypeVar("R", bound="Replica")
Rows = Callable[[], Iterable[Any]]

_AT_ONCE = 500
_rows: dict[str, Rows] = {}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How a replica differs from what its owner shows: rows that lack here, that are other, that are here only."""

    same: int
    missing: int
    different: int
    surplus: int

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.different or self.surplus)


def backfills(model: "type[R]") -> Callable[[Callable[[], Iterable[R]]], Callable[[], Iterable[R]]]:
    """Register a function that yields every row of *model* as its owner shows it now."""

    def register(rows: Callable[[], Iterable[R]]) -> Callable[[], Iterable[R]]:
        _rows[model._meta.label_lower] = rows  # noqa: SLF001 - Django documents it
        return rows

    return register


def shown_by_owner(declared: "Declaration") -> Rows | None:
    """The function that was registered for a replica, once the `clients` of every app are imported."""
    autodiscover_modules("clients")
    return _rows.get(declared.name)


def backfill(rows: Rows) -> int:
    """Write what the owner shows, in transactions of some hundred rows; return how many rows were written.

    The events of the owner have to reach this service already: what changes meanwhile would be lost.
    """
    from bandstand.replicas.applying import fill  # noqa: PLC0415 - it needs the models

    as_of = clock.database_now(section(EventsConfig).database)
    return fill(rows(), as_of=as_of)


def compare(declared: "Declaration", rows: Rows) -> Comparison:
    """Hold the replica against what its owner shows. Events under way make a difference that is none."""
    same = missing = different = 0
    here = declared.model.objects.using(section(EventsConfig).database)
    for chunk in _chunks(rows()):
        known = here.in_bulk([row.pk for row in chunk])
        for row in chunk:
            mine = known.get(declared.model._meta.pk.to_python(row.pk))  # noqa: SLF001 - Django documents it
            if mine is None:
                missing += 1
            elif _values(declared, mine) == _values(declared, row):
                same += 1
            else:
                different += 1
    surplus = max(0, here.count() - same - different)
    return Comparison(same=same, missing=missing, different=different, surplus=surplus)


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    waiting = iter(rows)
    while chunk := list(islice(waiting, _AT_ONCE)):
        yield chunk


def _values(declared: "Declaration", row: "Replica") -> list[Any]:
    stored = [field for field in declared.model._meta.concrete_fields if not field.generated]  # noqa: SLF001 - Django documents it
    return [field.to_python(getattr(row, field.attname)) for field in stored]
