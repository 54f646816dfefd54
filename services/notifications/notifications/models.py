"""Tables of the notifications service: addresses, and one mail for each event that calls for one."""

from django.db import models
from django.db.models import Q

from bandstand import clock
from bandstand.replicas import Replica


class Kind(models.TextChoices):
    """What a mail is about."""

    WELCOME = "welcome"
    ORDER_CONFIRMED = "order_confirmed"
    ORDER_REJECTED = "order_rejected"


class Recipient(Replica):
    """Where a user is reached."""

    user_id = models.UUIDField(primary_key=True)
    email = models.EmailField(max_length=254)
    username = models.CharField(max_length=150)

    class Source:
        """Accounts, which users owns."""

        kept_by = ("users.user_registered.v1", "users.user_updated.v1")


class Mail(models.Model):
    """One mail. It is written with the inbox row of its event; sending follows, at least once."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    event_id = models.UUIDField(unique=True)
    user_id = models.UUIDField()
    kind = models.CharField(max_length=32, choices=Kind.choices)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    created_at = models.DateTimeField(default=clock.now, editable=False)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["user_id", "-created_at", "-id"], name="mail_of_user"),
            models.Index(fields=["next_at"], name="mail_unsent", condition=Q(sent_at__isnull=True)),
        ]
        constraints = [models.CheckConstraint(condition=Q(kind__in=Kind.values), name="mail_kind_known")]

    @property
    def message_id(self) -> str:
        """The Message-ID: the same at every attempt, so that a mail sent twice can be told by its reader."""
        return f"<{self.event_id}@notifications.bandstand>"
