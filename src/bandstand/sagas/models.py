"""The sagas of this service, their append-only log, and what was said to them from outside."""

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from bandstand import clock
from bandstand.sagas.protocol import LIVE, Outcome, SagaStatus
from bandstand.sagas.steps import Direction

__all__ = ["SagaExecution", "SagaQuota", "SagaSignal", "SagaStepLog"]

_STATUSES = [(status.value, status.value.replace("_", " ")) for status in SagaStatus]
_DIRECTIONS = [(direction.value, direction.value) for direction in Direction]
_OUTCOMES = [(outcome.value, outcome.value) for outcome in Outcome]
_ACTIONS = ("retry", "skip", "compensate", "cancel", "resolve", "annotate", "approve")
_LIVE = sorted(status.value for status in LIVE)
_ENDED = sorted(status.value for status in SagaStatus if status.is_final)


class SagaExecution(models.Model):
    """One run of a saga.

    `state` is what the engine keeps, as JSON; `status`, `step`, `direction`, `attempt`, `reason`, `error` and
    `next_at` repeat of it what people look for. A worker may move the row only while `epoch` is the one under which it
    took the row over; nobody else takes it before `lease_until`, which is empty once the saga has ended. All times are
    the database's.
    """

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    type = models.CharField(max_length=100)
    version = models.PositiveIntegerField(default=1)
    business_key = models.CharField(max_length=200)
    status = models.CharField(max_length=24, choices=_STATUSES, default=SagaStatus.RUNNING.value)
    step = models.CharField(max_length=160, blank=True, help_text="The first of the steps at hand.")
    direction = models.CharField(max_length=4, choices=_DIRECTIONS, default=Direction.DO.value)
    attempt = models.PositiveIntegerField(default=0)
    state = models.TextField(help_text="The engine's state, as JSON.")
    context_data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    reason = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True, help_text="What the last attempt met.")
    correlation_id = models.CharField(max_length=64, blank=True)
    traceparent = models.CharField(max_length=55, blank=True)
    parent_id = models.UUIDField(null=True, help_text="The saga of which this one is a step.")
    parent_step = models.CharField(max_length=160, blank=True)
    priority = models.SmallIntegerField(default=0)
    limit_key = models.CharField(  # noqa: DJ001 - empty is a key like any other, and only sagas with a limit have one
        max_length=200, null=True, help_text="What a limit per key counts together; only of types that have a limit."
    )
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
        permissions = [(f"{action}_saga", f"Can {action} sagas") for action in _ACTIONS]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["type", "business_key"], name="saga_once_per_business_key"),
            models.CheckConstraint(
                condition=Q(status__in=_LIVE, lease_until__isnull=False)
                | Q(status__in=_ENDED, lease_until__isnull=True, owner__isnull=True),
                name="saga_ended_has_no_owner",
            ),
        ]
        # Only live rows are ever looked for: the indexes stay small however many have ended. None holds a column that a
        # wave changes, so that its update stays within the page of the row.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["-priority", "lease_until"], name="saga_live", condition=Q(lease_until__isnull=False)),
            models.Index(
                fields=["type", "limit_key"],
                name="saga_limited",
                condition=Q(lease_until__isnull=False, limit_key__isnull=False),
            ),
            models.Index(fields=["parent_id"], name="saga_children", condition=Q(parent_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.business_key}"


class SagaQuota(models.Model):
    """What of a type's limit is used up. Its row is the lock under which the pending ones are counted and admitted."""

    type = models.CharField(max_length=100, primary_key=True)
    used_until = models.DateTimeField(null=True, help_text="The moment up to which the rate of starts is used up.")

    class Meta:
        app_label = "bandstand_sagas"

    def __str__(self) -> str:
        return self.type


class SagaStepLog(models.Model):
    """One line of a saga's history: an intent, or how the attempt it announced came out. Only ever appended.

    `output` is what the step returned, as JSON; the first line of a saga holds its first context. What a step was given
    is therefore the first context with all outputs before it.
    """

    id = models.BigAutoField(primary_key=True)
    # No foreign key: the log is written by the thousand and outlives whatever is tidied up.
    saga_id = models.UUIDField()
    step = models.CharField(max_length=160)
    direction = models.CharField(max_length=4, choices=_DIRECTIONS)
    attempt = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=_OUTCOMES)
    key = models.CharField(max_length=200)
    at = models.DateTimeField()
    error = models.TextField(blank=True)
    output = models.TextField(blank=True)
    worker = models.UUIDField(null=True)

    class Meta:
        app_label = "bandstand_sagas"
        verbose_name = "saga step"
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["saga_id", "id"], name="saga_log_by_saga")]

    def __str__(self) -> str:
        return f"{self.direction} {self.step} {self.attempt}: {self.outcome}"


class SagaSignal(models.Model):
    """Something said to a saga from outside: an awaited event, an approval, a wish or an order of a person.

    Kept apart from the saga's row: whoever speaks usually holds the lock of a business row, and the saga's worker holds
    the saga's row while a local step waits for that same business row. Two tables, no deadlock. A signal is taken by
    the saga's next wave, in the transaction that moves the saga; it stays as the record of who wanted what, and why.
    One that comes before its step is `kept` for it. One that takes two persons is `proposed` until it is seconded.
    """

    id = models.BigAutoField(primary_key=True)
    saga_id = models.UUIDField()
    name = models.CharField(max_length=16)
    step = models.CharField(max_length=160, blank=True)
    payload = models.TextField(blank=True)
    said_by = models.CharField(max_length=150, blank=True)
    note = models.TextField(blank=True)
    at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    kept = models.BooleanField(default=False)
    proposed = models.BooleanField(default=False, db_default=False)
    seconded_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    seconded_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "bandstand_sagas"
        verbose_name = "saga signal"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["saga_id", "id"], name="saga_signals"),
            models.Index(fields=["id"], name="saga_signals_new", condition=Q(taken_at__isnull=True, kept=False)),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.step}".strip()
