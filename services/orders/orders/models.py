"""Tables of the orders service: orders with lines and history, the catalogue replica, the statistics."""

from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property

from bandstand import clock
from bandstand.replicas import Replica


class Status(models.TextChoices):
    """Where an order stands; all but `pending` are final."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class CatalogueProduct(Replica):
    """What orders knows of a product that is sold."""

    product_id = models.UUIDField(primary_key=True)
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Source:
        """The catalogue, which products owns."""

        kept_by = ("products.product_created.v1", "products.product_updated.v1")
        removed_by = ("products.product_retired.v1",)
        fields = {"price_minor": "price.amount", "currency": "price.currency"}


class Order(models.Model):
    """One order. Owner, prices and total are the server's; `revision` counts the lines of its history."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    user_id = models.UUIDField()
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=32, default="", blank=True)
    payment_method = models.CharField(max_length=64)
    note = models.CharField(max_length=500, default="", blank=True)
    total_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    revision = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["user_id", "-created_at", "-id"], name="order_of_user"),
            models.Index(fields=["status", "-created_at", "-id"], name="order_by_status"),
            models.Index(fields=["-created_at", "-id"], name="order_newest"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="order_status_known"),
            models.CheckConstraint(condition=Q(total_minor__gt=0), name="order_total_positive"),
            models.CheckConstraint(
                condition=Q(status__in=[Status.PENDING, Status.CONFIRMED], reason="")
                | (Q(status__in=[Status.REJECTED, Status.CANCELLED]) & ~Q(reason="")),
                name="order_reason_given",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @cached_property
    def priced_lines(self) -> list["OrderLine"]:
        """The lines, each told the currency of the order."""
        lines = list(self.lines.all())
        for line in lines:
            line.currency = self.currency
        return lines

    @cached_property
    def told(self) -> list["OrderHistory"]:
        """What happened to the order, oldest first."""
        return list(self.history.all())

    @property
    def is_final(self) -> bool:
        """Whether the order has ended."""
        return self.status != Status.PENDING


class OrderLine(models.Model):
    """A product of an order, with the price of the moment of ordering."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    product_id = models.UUIDField()
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField()
    unit_price_minor = models.BigIntegerField()

    currency: str  # the order's; not a column

    class Meta:
        ordering = ["order_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "product_id"], name="order_line_product_once"),
            models.CheckConstraint(condition=Q(quantity__range=(1, 1000)), name="order_line_quantity_bounded"),
            models.CheckConstraint(condition=Q(unit_price_minor__gt=0), name="order_line_price_positive"),
        ]

    @property
    def line_total_minor(self) -> int:
        """Price times quantity, in minor units."""
        return self.unit_price_minor * self.quantity


class OrderHistory(models.Model):
    """What happened to an order, append-only."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="history")
    seq = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=16, choices=Status.choices)
    detail = models.CharField(max_length=200, default="", blank=True)
    at = models.DateTimeField(default=clock.now)

    class Meta:
        ordering = ["order_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["order", "seq"], name="order_history_seq_once")]


class DailyStatistic(models.Model):
    """How many orders of a day stand where, kept by the service's own events."""

    day = models.DateField()
    status = models.CharField(max_length=16, choices=Status.choices)
    count = models.IntegerField(default=0)
    total_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, default="")

    class Meta:
        ordering = [F("day").desc(), "status", "currency"]
        constraints = [models.UniqueConstraint(fields=["day", "status", "currency"], name="statistic_once")]
