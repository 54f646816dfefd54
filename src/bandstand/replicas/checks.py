"""System checks of a replica: what would otherwise only fail, or mislead, once the first event arrives."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name for it
from django.db import router
from django.db.models import BaseConstraint, UniqueConstraint

from bandstand.config import section
from bandstand.events.config import EventsConfig
from bandstand.replicas.caching import cached_functions
from bandstand.replicas.config import ReplicasConfig
from bandstand.replicas.declaration import ABSENT, Declaration, declaration

if TYPE_CHECKING:
    from bandstand.replicas.models import Replica

__all__ = ["check_caches", "check_retention", "check_source"]

_KNOWN = {"fields", "group", "kept_by", "removed_by"}
_NAME = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9_]*\.v[1-9][0-9]*")


def check_source(model: "type[Replica]") -> list[CheckMessage]:
    """What is wrong with the declaration of a replica, and with where it is kept."""
    declared = declaration(model)
    if not apps.is_installed("bandstand.replicas"):
        hint = "Put bandstand.replicas before the service's own app."
        return [
            Error(f"{model.__name__} is a replica, but nothing keeps it.", hint=hint, obj=model, id="bandstand.E601")
        ]
    return [*_events(declared), *_columns(declared), *_paths(declared), *_places(declared)]


def check_caches(**_: Any) -> list[CheckMessage]:
    """An event invalidates an entry in one process, and all others see it."""
    return [
        Error(
            f"{each.name} is cached where an invalidation reaches one process at most.",
            hint=f"Give CACHES[{each.alias!r}] a backend that processes share: Redis, Memcached, the database, files.",
            id="bandstand.E610",
        )
        for each in cached_functions()
        if isinstance(caches[each.alias], LocMemCache | DummyCache)
    ]


def check_retention(**_: Any) -> list[CheckMessage]:
    """Tombstones outlive the events that could come late."""
    events, tombstones = section(EventsConfig), section(ReplicasConfig).tombstone_retention
    longest = max(events.inbox_retention, events.bus_retention)
    if tombstones >= longest:
        return []
    hint = f"Set TOMBSTONE_RETENTION of REPLICAS to {longest} or more."
    return [
        Warning("Tombstones are forgotten while older events may still come.", hint=hint, id="bandstand.W609"),
    ]


def _events(declared: Declaration) -> Iterator[CheckMessage]:
    names = [*declared.kept_by, *declared.removed_by]
    if not declared.kept_by:
        yield _fault(declared, "names no event that keeps it.", "Declare kept_by in its class Source.", "E602")
    for name in sorted({name for name in names if not _NAME.fullmatch(name)}):
        hint = "Expected is <service>.<past_tense_fact>.v<major>."
        yield _fault(declared, f"names {name!r}, which is no event name.", hint, "E603")
    for name in sorted(set(vars(declared.model.Source)) - _KNOWN):
        if not name.startswith("_"):
            hint = f"Known are {', '.join(sorted(_KNOWN))}."
            yield _fault(declared, f"declares {name!r} in Source, which means nothing.", hint, "E602")
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield _fault(declared, f"names {name} twice.", "An event either keeps a row or removes it.", "E603")
    owners = sorted({name.partition(".")[0] for name in names})
    if len(owners) > 1:
        hint = "Sequences of different services cannot be compared: declare one replica for each."
        yield _fault(declared, f"mixes events of {' and '.join(owners)}.", hint, "E604")


def _columns(declared: Declaration) -> Iterator[CheckMessage]:
    for column in declared.columns:
        if column.type is ABSENT:
            hint = "Use a plain column with what the event carries; the key is the owner's, not made here."
            yield _fault(declared, f"has the column {column.name!r}, which no event can fill.", hint, "E605")
    fields = declared.model._meta.concrete_fields  # noqa: SLF001 - Django documents it
    known = {name for field in fields for name in (field.name, field.attname)}
    for name in sorted(set(getattr(declared.model.Source, "fields", {})) - known):
        yield _fault(declared, f"maps {name!r}, which is no column of it.", "Mend Source.fields.", "E606")
    names = {column.name for column in declared.columns[1:]}
    for event, meant in declared.constants.items():
        for name in sorted(set(meant) - names):
            hint = "Only a column of its own, and not the key, can have a value that the event does not carry."
            yield _fault(declared, f"gives {name!r} a value at {event}.", hint, "E606")
    unique = [field.name for field in fields if field.unique and not field.primary_key]
    for name in [*unique, *(each.name for each in _constraints(declared) if isinstance(each, UniqueConstraint))]:
        hint = "Order holds for each key only, so another row may still have the value; index it instead."
        yield _fault(declared, f"wants {name!r} to be unique.", hint, "E607")


def _constraints(declared: Declaration) -> list[BaseConstraint]:
    return list(declared.model._meta.constraints)  # noqa: SLF001 - Django documents it


def _paths(declared: Declaration) -> Iterator[CheckMessage]:
    taken: dict[tuple[str, ...], str] = {}
    for column in declared.columns:
        for path, other in taken.items():
            shorter = min(len(path), len(column.path))
            if path[:shorter] == column.path[:shorter]:
                both = f"{'.'.join(path)!r} into {other!r} and {'.'.join(column.path)!r} into {column.name!r}"
                yield _fault(declared, f"reads {both}.", "Read each field of the event once, as a whole.", "E606")
        taken[column.path] = column.name


def _places(declared: Declaration) -> Iterator[CheckMessage]:
    meta, using = declared.model._meta, section(EventsConfig).database  # noqa: SLF001 - Django documents it
    if len(meta.get_parent_list()) > 0:
        yield _fault(declared, "is spread over two tables.", "Derive it from abstract models only.", "E605")
    if router.db_for_write(declared.model) != using:
        hint = f"A row and the inbox row of its event belong to one transaction: keep both in {using!r}."
        yield _fault(declared, "lies in another database than the inbox.", hint, "E608")


def _fault(declared: Declaration, what: str, hint: str, number: str) -> CheckMessage:
    return Error(f"{declared.name} {what}", hint=hint, obj=declared.model, id=f"bandstand.{number}")
