"""What may not be done to a replica: everything that writes, for the next event would undo it."""

from typing import Any, NoReturn, TypeVar

from django.db import models

from bandstand.errors import InternalError

__all__ = ["ReplicaIsReadOnly", "ReplicaQuerySet", "refuse"]

M = TypeVar("M", bound=models.Model)


class ReplicaIsReadOnly(InternalError):
    """A row of a replica was to be written by hand; only the service that owns the data changes it."""


def refuse(model: type[models.Model]) -> NoReturn:
    """Raise ReplicaIsReadOnly."""
    label = model._meta.label  # noqa: SLF001 - Django documents it
    raise ReplicaIsReadOnly(f"{label} is a replica: change the data in the service that owns it, and its event follows")


class ReplicaQuerySet(models.QuerySet[M]):
    """Reads as any queryset; each way to write raises ReplicaIsReadOnly."""

    def create(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse."""
        refuse(self.model)

    get_or_create = update_or_create = bulk_create = bulk_update = update = delete = create
    acreate = aget_or_create = aupdate_or_create = abulk_create = abulk_update = aupdate = adelete = create
