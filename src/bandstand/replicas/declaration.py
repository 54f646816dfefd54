"""What a replica declares, read once: its columns, where each comes from, and the events that carry them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import models

if TYPE_CHECKING:
    from bandstand.replicas.models import Replica

__all__ = ["ABSENT", "Column", "Declaration", "declaration", "type_of"]

ABSENT: Any = object()
"""The default of a column that every event has to carry."""

# The first that fits: a moment is a date to Django.
_TYPES: list[tuple[type[Any], Any]] = [
    (models.BooleanField, bool),
    (models.IntegerField, int),
    (models.FloatField, float),
    (models.DecimalField, Decimal),
    (models.DateTimeField, datetime),
    (models.DateField, date),
    (models.TimeField, time),
    (models.DurationField, timedelta),
    (models.UUIDField, UUID),
    (models.JSONField, Any),
    (models.BinaryField, bytes),
    (models.CharField, str),
    (models.TextField, str),
    (models.GenericIPAddressField, str),
]
_MADE_HERE = (models.AutoField, models.FileField)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a replica and the field of the event, by its path, that it is read from."""

    name: str
    path: tuple[str, ...]
    type: Any
    default: Any = ABSENT

    def of(self, event: Any) -> Any:
        """Its value in an event."""
        for name in self.path:
            event = getattr(event, name)
        return event


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A replica as its `Source` describes it."""

    model: "type[Replica]"
    name: str
    """`<app>.<model>`: stands on the marks, so renaming it starts a new history."""
    kept_by: tuple[str, ...]
    removed_by: tuple[str, ...]
    constants: Mapping[str, Mapping[str, Any]]
    """What an event of `kept_by` means without saying it: values of columns that are not read from it."""
    group: str
    key: Column
    columns: tuple[Column, ...]
    """All of them, the key first."""

    def read_from(self, event_name: str) -> tuple[Column, ...]:
        """The columns that an event carries: of one that removes, only the key."""
        if event_name not in self.kept_by:
            return (self.key,)
        meant = self.constants.get(event_name, {})
        return tuple(column for column in self.columns if column.name not in meant)


@cache
def declaration(model: "type[Replica]") -> Declaration:
    """Read what *model* declares; `checks.check_source` says whether it holds together."""
    source = model.Source
    paths = dict(getattr(source, "fields", {}))
    kept_by = getattr(source, "kept_by", ())
    columns = [_column(field, paths) for field in _stored(model)]
    columns.sort(key=lambda column: column.name != model._meta.pk.attname)  # noqa: SLF001 - Django documents it
    return Declaration(
        model=model,
        name=model._meta.label_lower,  # noqa: SLF001 - Django documents it
        kept_by=tuple(kept_by),
        removed_by=tuple(getattr(source, "removed_by", ())),
        constants=dict(kept_by) if isinstance(kept_by, Mapping) else {},
        group=getattr(source, "group", ""),
        key=columns[0],
        columns=tuple(columns),
    )


def type_of(field: Any) -> Any:
    """What an event carries for *field*; ABSENT for a kind of column that no event can fill."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    if isinstance(field, _MADE_HERE):
        return ABSENT
    return next((found for kind, found in _TYPES if isinstance(field, kind)), ABSENT)


def _stored(model: "type[Replica]") -> Iterator[Any]:
    return (field for field in model._meta.concrete_fields if not field.generated)  # noqa: SLF001 - Django documents it


def _column(field: Any, paths: dict[str, str]) -> Column:
    path = paths.get(field.attname) or paths.get(field.name) or field.attname
    found = type_of(field)
    return Column(
        name=field.attname,
        path=tuple(path.split(".")),
        type=found | None if field.null and found is not ABSENT else found,
        default=_default(field),
    )


def _default(field: Any) -> Any:
    if field.primary_key:
        return ABSENT
    if field.has_default():
        return field.default
    return None if field.null else ABSENT
