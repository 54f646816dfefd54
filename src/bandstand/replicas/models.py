"""`Replica`, the base of every local copy, and the marks that say which event each copy stands at.

class Recipient(Replica):
    user_id = models.UUIDField(primary_key=True)
    email = models.EmailField()

    class Source:
        kept_by = ("users.user_registered.v1", "users.user_updated.v1")
        removed_by = ("users.user_erased.v1",)
"""

from typing import Any, ClassVar, NoReturn

from django.core.checks import CheckMessage
from django.db import models

from bandstand.replicas.readonly import ReplicaQuerySet, refuse

__all__ = ["Mark", "Replica"]


class Mark(models.Model):
    """Which event a key of a replica stands at; once removed, the mark outlives the row as its tombstone.

    Apart from the rows, because what was removed must be gone, personal data above all, and an older event refused.
    """

    pk = models.CompositePrimaryKey("replica", "key")
    replica = models.CharField(max_length=100)
    key = models.CharField(max_length=200)
    sequence = models.BigIntegerField()
    """The event's; 0 for what the owner showed when it was asked."""
    applied_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "bandstand_replicas_mark"
        indexes = [
            models.Index(fields=["replica", "applied_at"], name="bandstand_mark_applied"),
            models.Index(
                fields=["removed_at"], name="bandstand_mark_removed", condition=models.Q(removed_at__isnull=False)
            ),
        ]


class Replica(models.Model):
    """A table that the events of its owner keep: rows are read as any, and written by nobody else.

    Each column is read from the field of the event that has its name, or the path that `Source.fields` gives it
    (`{"price_minor": "price.amount"}`). An event of `kept_by` carries the whole row and one of `removed_by` its key;
    a column that is nullable or has a default may be absent. As a mapping, `kept_by` gives the values of columns that
    an event means without saying them. The key is the subject of these events; `group` is that of their consumers.
    """

    objects: ClassVar[Any] = ReplicaQuerySet.as_manager()

    class Meta:
        abstract = True

    class Source:
        """Where the rows come from; each replica declares its own."""

        kept_by: ClassVar[tuple[str, ...] | dict[str, dict[str, Any]]] = ()
        removed_by: ClassVar[tuple[str, ...]] = ()
        fields: ClassVar[dict[str, str]] = {}
        group: ClassVar[str] = ""

    def save(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: raises ReplicaIsReadOnly."""
        refuse(type(self))

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: raises ReplicaIsReadOnly."""
        refuse(type(self))

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """Django's checks of the model and those of its source."""
        from bandstand.replicas.checks import check_source  # noqa: PLC0415 - checks know of Replica

        return [*super().check(**kwargs), *check_source(cls)]
