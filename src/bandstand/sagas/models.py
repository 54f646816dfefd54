"""The sagas of this service and their append-only log."""

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from bandstand import clock
from bandstand.sagas.definition import Direction
from bandstand.sagas.protocol import LIVE, Outcome, SagaStatus

__all__ = ["CancelRequest", "SagaExecution", "SagaStepLog"]

_STATUSES = [(status.value, status.value.replace("_", " ")) for status in SagaStatus]
_DIRECTIONS = [(direction.value, direction.value) for direction in Direction]
_OUTCOMES = [(outcome.value, outcome.value) for outcome in Outcome]
_LIVE = sorted(status.value for status in LIVE)
_ENDED = sorted(status.value for status in SagaStatus if status.is_final)


class SagaExecution(models.Model):
    """One run of a saga.

    A worker may move the row only while `epoch` is the one under which it took the row over; nobody else takes it
    before `lease_until`, which is empty once the saga has ended. All times are the database's.
    """

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    type = models.CharField(max_length=100)
    business_key = models.CharField(max_length=200)
    status = models.CharField(max_length=24, choices=_STATUSES, default=SagaStatus.RUNNING.value)
    step = models.CharField(max_length=100)
    direction = models.CharField(max_length=4, choices=_DIRECTIONS, default=Direction.DO.value)
    attempt = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(help_text="When the step at hand was first intended.")
    done = models.JSONField(default=list, help_text="Steps that happened, or may have, and are not undone.")
    context_data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    ending = models.CharField(max_length=24, blank=True, help_text="How it will end once everything is undone.")
    reason = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True, help_text="What the last attempt met.")
    cancel_requested = models.BooleanField(default=False)
    correlation_id = models.CharField(max_length=64, blank=True)
    traceparent = models.CharField(max_length=55, blank=True)
    epoch = models.PositiveBigIntegerField(default=1)
    owner = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        app_label = "bandstand_sagas"
        verbose_name = "saga"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["type", "business_key"], name="saga_once_per_business_key"),
            models.CheckConstraint(
                condition=Q(status__in=_LIVE, lease_until__isnull=False)
                | Q(status__in=_ENDED, lease_until__isnull=True, owner__isnull=True),
                name="saga_ended_has_no_owner",
            ),
        ]
        # Only live rows are ever looked for: the index stays small however many have ended.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["lease_until"], name="saga_live", condition=Q(lease_until__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.business_key}"


class SagaStepLog(models.Model):
    """One line of a saga's history: an intent, or how the attempt it announced came out. Only ever appended."""

    id = models.BigAutoField(primary_key=True)
    # No foreign key: the log is written by the thousand and outlives whatever is tidied up.
    saga_id = models.UUIDField()
    step = models.CharField(max_length=100)
    direction = models.CharField(max_length=4, choices=_DIRECTIONS)
    attempt = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=_OUTCOMES)
    key = models.CharField(max_length=160)
    at = models.DateTimeField()
    error = models.TextField(blank=True)

    class Meta:
        app_label = "bandstand_sagas"
        verbose_name = "saga step"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["saga_id", "id"], name="saga_log_by_saga")]

    def __str__(self) -> str:
        return f"{self.direction} {self.step} {self.attempt}: {self.outcome}"


class CancelRequest(models.Model):
    """A wish to cancel, kept apart from the saga's row.

    Whoever cancels usually holds the lock of a business row; the saga's worker holds the saga's row while a local step
    waits for that same business row. Two tables, no deadlock.
    """

    saga_id = models.UUIDField(primary_key=True)
    requested_at = models.DateTimeField()

    class Meta:
        app_label = "bandstand_sagas"

    def __str__(self) -> str:
        return str(self.saga_id)
