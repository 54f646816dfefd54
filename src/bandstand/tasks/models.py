"""The table behind tasks; what runs them writes it by raw SQL in `store`."""

from django.db import models
from django.db.models import Q

from bandstand import clock

__all__ = ["TaskRow"]


class TaskRow(models.Model):
    """One task: what is to be run, who runs it, how it ended."""

    class State(models.TextChoices):
        """Where it stands. `waiting` has a moment, `ready` may be claimed, `sent` is with a broker."""

        WAITING = "waiting"
        READY = "ready"
        SENT = "sent"
        RUNNING = "running"
        SUCCESSFUL = "successful"
        FAILED = "failed"
        DISCARDED = "discarded"

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    task = models.CharField(max_length=200)
    backend = models.CharField(max_length=50)
    carrier = models.CharField(max_length=20)
    """The loop that takes it up: `tasks` runs it, `celery` hands it on."""
    queue = models.CharField(max_length=100)
    priority = models.SmallIntegerField()
    arguments = models.TextField()
    correlation_id = models.CharField(max_length=64)
    traceparent = models.CharField(max_length=55)
    unique_key = models.CharField(max_length=200, null=True)  # noqa: DJ001 - NULL stands in nobody's way
    state = models.CharField(max_length=10, choices=State.choices)
    next_at = models.DateTimeField(null=True)
    """When it becomes ready: its moment, its next attempt, or the end of its worker's lease."""
    fence = models.PositiveIntegerField(default=0, db_default=0)
    """Grows with every claim: what an earlier one still writes is ignored."""
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    workers = models.TextField(default="", db_default="")
    run_after = models.DateTimeField(null=True)
    enqueued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    attempted_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    result = models.TextField(null=True)  # noqa: DJ001 - NULL is "none yet", which JSON cannot say
    error = models.CharField(max_length=200, default="", db_default="")
    reason = models.TextField(default="", db_default="")
    traceback = models.TextField(default="", db_default="")

    class Meta:
        db_table = "bandstand_tasks_task"
        verbose_name = "task"
        indexes = [
            models.Index(
                "carrier", models.F("priority").desc(), "id", name="bandstand_task_ready", condition=Q(state="ready")
            ),
            models.Index(fields=["next_at"], name="bandstand_task_due", condition=Q(next_at__isnull=False)),
            models.Index(
                fields=["state", "finished_at"], name="bandstand_task_ended", condition=Q(finished_at__isnull=False)
            ),
        ]
        constraints = [models.UniqueConstraint(fields=["unique_key"], name="bandstand_task_once")]
