"""A business row, its effect in another service, and the inbox that people write by hand."""

from django.db import models


class Order(models.Model):
    """What a transaction of the measured service writes."""

    user_id = models.IntegerField()
    total = models.IntegerField()

    class Meta:
        app_label = "orders"


class Effect(models.Model):
    """What a consumer writes for an event."""

    order_id = models.BigIntegerField()
    total = models.IntegerField()

    class Meta:
        app_label = "orders"


class Processed(models.Model):
    """Which events a consumer written by hand has seen."""

    event_id = models.UUIDField(primary_key=True)

    class Meta:
        app_label = "orders"


class Pending(models.Model):
    """The outbox that people write by hand."""

    event_id = models.UUIDField(unique=True)
    routing_key = models.CharField(max_length=200)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "orders"
