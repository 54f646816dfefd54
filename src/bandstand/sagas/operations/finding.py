"""Finding sagas: by what they are and where they stand, by id, by the beginning of one, by business key."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db.models import Q, QuerySet

from bandstand import clock
from bandstand.errors import Conflict, NotFound
from bandstand.sagas.models import SagaExecution
from bandstand.sagas.operations.reasons import stuck
from bandstand.sagas.registry import sagas

__all__ = ["ANY", "Wanted", "find", "find_one", "matching"]

ANY = "any"
"""A state that every saga has."""

_BEGINNING = re.compile(r"[0-9a-fA-F-]{4,36}")
_OFFERED = 5


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which sagas are looked for; without `states` those that have not ended.

    `references` are ids, beginnings of ids and business keys. `before`: begun earlier. `step`: at hand, of any item.
    """

    references: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    key: str = ""
    step: str = ""
    before: datetime | None = None
    stuck: bool = False


def find(wanted: Wanted, *, limit: int = 50) -> list[SagaExecution]:
    """The sagas that are *wanted*, latest first."""
    rows = _chosen(wanted).order_by("-pk")
    if not wanted.stuck:
        return list(rows[:limit])
    now = clock.database_now()
    return list(islice((row for row in rows.iterator(chunk_size=200) if stuck(row, now)), limit))


def find_one(reference: str) -> SagaExecution:
    """The saga of this id, unique beginning of an id, or business key. Raises NotFound, or Conflict for several."""
    found = list(matching(reference)[: _OFFERED + 1])
    if not found:
        hint = "give its id, the beginning of it, or its business key; `sagas list --state any` shows them"
        raise NotFound(f"there is no saga {reference!r}: {hint}")
    if len(found) > 1:
        offered = ", ".join(f"{row.pk} ({row.type} {row.business_key})" for row in found[:_OFFERED])
        raise Conflict(f"{reference!r} means several sagas: {offered}{', …' if len(found) > _OFFERED else ''}")
    return found[0]


def matching(reference: str) -> QuerySet[SagaExecution]:
    """The sagas that *reference* may mean; what it says literally goes before what it only begins."""
    for meaning in _meanings(reference):
        if (found := SagaExecution.objects.filter(meaning).order_by("-pk")).exists():
            return found
    return SagaExecution.objects.none()


def _meanings(reference: str) -> Iterator[Q]:
    digits = reference.replace("-", "")
    is_beginning = _BEGINNING.fullmatch(reference) is not None and 0 < len(digits) <= 32
    if is_beginning and len(digits) == 32:
        yield Q(pk=UUID(digits))
    yield Q(type__in=list(sagas.versions()), business_key=reference)  # by the index
    yield Q(business_key=reference)
    if is_beginning:
        yield Q(pk__gte=UUID(digits.ljust(32, "0")), pk__lte=UUID(digits.ljust(32, "f")))


def _chosen(wanted: Wanted) -> QuerySet[SagaExecution]:
    rows = SagaExecution.objects.all()
    if ANY not in wanted.states:
        rows = rows.filter(status__in=wanted.states) if wanted.states else rows.filter(lease_until__isnull=False)
    if wanted.references:
        ids = {row.pk for reference in wanted.references for row in matching(reference)[: _OFFERED + 1]}
        rows = rows.filter(pk__in=ids)
    if wanted.types:
        rows = rows.filter(type__in=wanted.types)
    if wanted.key:
        rows = rows.filter(business_key=wanted.key)
    if wanted.before is not None:
        rows = rows.filter(created_at__lt=wanted.before)
    if wanted.step:
        rows = rows.filter(_at(wanted.step))
    return rows.filter(lease_until__isnull=False) if wanted.stuck else rows


def _at(step: str) -> Q:
    """Whether a step is at hand, not only as the first of several: by the form in which a state is stored."""
    return Q(state__contains=f'"unit":"{step}"') | Q(state__contains=f'"unit":"{step}:')
