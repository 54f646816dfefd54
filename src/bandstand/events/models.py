"""The tables behind events; all writes but those of the admin are raw SQL in the modules that own them."""

from django.db import models

from bandstand import clock

__all__ = ["DeadLetter", "DeliveredRow", "InboxRow", "Lease", "OutboxRow", "WaitingRow"]


class OutboxRow(models.Model):
    """An event that the bus has not accepted yet. The id is the event's sequence and is never used twice."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    type = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    envelope = models.TextField()
    created_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_at = models.DateTimeField(null=True)
    dead_at = models.DateTimeField(null=True)
    reason = models.TextField(default="", db_default="")

    class Meta:
        db_table = "bandstand_events_outbox"
        indexes = [
            models.Index(fields=["subject", "id"], name="bandstand_outbox_refused", condition=models.Q(attempts__gt=0)),
        ]


class DeliveredRow(models.Model):
    """What the bus has accepted: a receipt, kept for the retention. The content is on the bus."""

    id = models.BigIntegerField(primary_key=True)
    event_id = models.UUIDField()
    type = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField()

    class Meta:
        db_table = "bandstand_events_delivered"


class InboxRow(models.Model):
    """An event that a consumer has taken over; `applied_at` is empty while it waits or is a dead letter."""

    pk = models.CompositePrimaryKey("consumer", "event_id")
    consumer = models.CharField(max_length=200)
    event_id = models.UUIDField()
    applied_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "bandstand_events_inbox"
        indexes = [models.Index(fields=["applied_at"], name="bandstand_inbox_applied")]


class WaitingRow(models.Model):
    """An event that failed for a consumer, or waits behind one of its subject that did. Order is the id's."""

    id = models.BigAutoField(primary_key=True)
    consumer = models.CharField(max_length=200)
    event_id = models.UUIDField()
    type = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    envelope = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    first_failed_at = models.DateTimeField(null=True)
    reason = models.TextField(default="")
    traceback = models.TextField(default="")

    class Meta:
        db_table = "bandstand_events_waiting"
        indexes = [models.Index(fields=["consumer", "subject", "id"], name="bandstand_waiting_key")]
        constraints = [models.UniqueConstraint(fields=["consumer", "event_id"], name="bandstand_waiting_once")]


class DeadLetter(models.Model):
    """An event that a consumer gave up on. A person reads it, then replays or discards it."""

    class State(models.TextChoices):
        """Where it stands."""

        DEAD = "dead"
        REPLAYED = "replayed"
        DISCARDED = "discarded"

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    consumer = models.CharField(max_length=200)
    event_id = models.UUIDField()
    type = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    envelope = models.TextField()
    attempts = models.PositiveSmallIntegerField()
    reason = models.TextField()
    traceback = models.TextField(default="")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DEAD)
    first_failed_at = models.DateTimeField()
    died_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "bandstand_events_dead_letter"
        indexes = [models.Index(fields=["state", "died_at"], name="bandstand_dead_letter_state")]
        constraints = [models.UniqueConstraint(fields=["consumer", "event_id"], name="bandstand_dead_letter_once")]


class Lease(models.Model):
    """Which process does a job that only one should do, and until when by the database's clock."""

    name = models.CharField(primary_key=True, max_length=50)
    owner = models.CharField(max_length=100)
    until = models.DateTimeField()

    class Meta:
        db_table = "bandstand_events_lease"
