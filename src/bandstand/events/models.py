"""The tables behind events; all writes but those of the admin are raw SQL in the modules that own them."""

from django.db import models

from bandstand import clock

__all__ = [
    "Bookmark",
    "DeadLetter",
    "DeliveredRow",
    "EventAction",
    "InboxRow",
    "Lease",
    "OutboxRow",
    "Pause",
    "Replay",
    "ScheduleRow",
    "ScheduledRow",
    "WaitingRow",
]


class OutboxRow(models.Model):
    """An event that the bus has not accepted yet. The id is the event's sequence and is never used twice."""

    id = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField()
    type = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    envelope = models.TextField()
    created_at = models.DateTimeField()
    slot = models.SmallIntegerField(default=0, db_default=0)
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
        indexes = [
            models.Index(fields=["consumer", "subject", "id"], name="bandstand_waiting_key"),
            models.Index(fields=["consumer", "next_at", "id"], name="bandstand_waiting_due"),
        ]
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


class EventAction(models.Model):
    """What a person did to events or tasks by hand, written in the transaction of the deed and never changed again."""

    class Kind(models.TextChoices):
        """What was done."""

        REPLAY = "replay"
        EDIT = "edit"
        DISCARD = "discard"
        REVIVE = "revive"
        PUBLISH = "publish"
        PAUSE = "pause"
        RESUME = "resume"
        FORGET = "forget"
        RETRY = "retry"

    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=10, choices=Kind.choices)
    consumer = models.CharField(max_length=200, default="")
    """The consumer whose event it was; the group where a whole one was meant."""
    type = models.CharField(max_length=200, default="")
    """The event's type; of a task, its function."""
    dead_letter = models.UUIDField(null=True)
    """The id of the dead letter, which retention may have forgotten since."""
    event_id = models.UUIDField(null=True)
    """The event's id; of a task, the task's."""
    note = models.TextField(default="")
    before = models.TextField(default="")
    after = models.TextField(default="")

    class Meta:
        db_table = "bandstand_events_action"
        indexes = [models.Index(fields=["dead_letter"], name="bandstand_action_letter")]


class Bookmark(models.Model):
    """Where a group reads on at one place of the bus, as of the newest effect that is in this database."""

    pk = models.CompositePrimaryKey("reader", "place")
    reader = models.CharField(max_length=200)
    place = models.CharField(max_length=300)
    position = models.BigIntegerField()

    class Meta:
        db_table = "bandstand_events_bookmark"


class Replay(models.Model):
    """History on its way to some consumers once more; while the row is there, the reader of their group stands by."""

    reader = models.CharField(primary_key=True, max_length=200)
    consumers = models.TextField()
    """Their ids, as a JSON array."""
    since = models.DateTimeField(null=True)
    started_at = models.DateTimeField()

    class Meta:
        db_table = "bandstand_events_replay"


class Pause(models.Model):
    """A consumer, by its id, or a group that applies nothing until somebody resumes it."""

    name = models.CharField(primary_key=True, max_length=200)
    paused_at = models.DateTimeField()

    class Meta:
        db_table = "bandstand_events_pause"


class Lease(models.Model):
    """Which process does a job that only one should do, and until when by the database's clock."""

    name = models.CharField(primary_key=True, max_length=50)
    owner = models.CharField(max_length=100)
    until = models.DateTimeField()

    class Meta:
        db_table = "bandstand_events_lease"


class ScheduledRow(models.Model):
    """An event whose moment has not come."""

    event_id = models.UUIDField(primary_key=True)
    type = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    envelope = models.TextField()
    due_at = models.DateTimeField()

    class Meta:
        db_table = "bandstand_events_scheduled"
        indexes = [models.Index(fields=["due_at", "event_id"], name="bandstand_scheduled_due")]


class ScheduleRow(models.Model):
    """Which moment of a schedule comes next."""

    name = models.CharField(primary_key=True, max_length=200)
    rule = models.CharField(max_length=200)
    next_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "bandstand_events_schedule"
