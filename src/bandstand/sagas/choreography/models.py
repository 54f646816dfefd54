"""The journeys that this service watches."""

from datetime import datetime
from typing import ClassVar

import msgspec
from django.db import models
from django.db.models import Q

from bandstand import clock
from bandstand.sagas.choreography.expectation import State

__all__ = ["ChoreographyWatch"]

_moments = msgspec.json.Decoder(dict[str, datetime])


class ChoreographyWatch(models.Model):
    """One journey: what was seen of it and what it waits for. All times are the database's."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    name = models.CharField(max_length=100)
    key = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=[(state.value, state.value) for state in State])
    seen = models.TextField(help_text="JSON: each event with the moment at which this service learnt of it.")
    waiting_for = models.TextField(blank=True, help_text="Events, separated by spaces.")
    due_at = models.DateTimeField(null=True, help_text="When it will be overdue; empty unless it is watched.")
    note = models.TextField(blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    began_at = models.DateTimeField()
    moved_at = models.DateTimeField()

    class Meta:
        app_label = "bandstand_choreography"
        db_table = "bandstand_choreography_watch"
        verbose_name = "journey"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["name", "key"], name="choreography_once_per_key"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Not by the state: SQLite uses no partial index whose condition is compared with a parameter.
            models.Index(fields=["name", "due_at"], name="choreography_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["state", "moved_at"], name="choreography_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key}"

    @property
    def moments(self) -> dict[str, datetime]:
        """When this service learnt of each event, the earliest first."""
        found = _moments.decode(self.seen)
        return dict(sorted(found.items(), key=lambda item: item[1]))
