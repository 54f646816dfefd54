"""The keys that a participant remembers."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

__all__ = ["EffectState", "KeyedEffect"]


class EffectState(models.TextChoices):
    """What has become of a key. A tombstone was cancelled before it was created; both ways are final."""

    APPLIED = "applied"
    UNDONE = "undone"
    TOMBSTONE = "tombstone"


class KeyedEffect(models.Model):
    """One key of one kind of effect, written in the transaction of the effect.

    `digest` tells whether a repeat is the same request. `answer` is JSON as text, so that a repeat is answered to the
    letter: PostgreSQL's own type would reorder it, and takes no NUL.
    """

    pk = models.CompositePrimaryKey("kind", "key")
    kind = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    state = models.CharField(max_length=9, choices=EffectState)
    digest = models.CharField(max_length=64, blank=True)
    answer = models.TextField(default="null")
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "bandstand_participant_key"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="participant_state_known", condition=Q(state__in=EffectState.values)),
            models.CheckConstraint(
                name="participant_tombstone_has_no_request",
                condition=Q(state=EffectState.TOMBSTONE, digest="") | (~Q(state=EffectState.TOMBSTONE) & ~Q(digest="")),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["changed_at"], name="participant_changed")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.state}"
