"""Tables of the test project, made without migrations."""

from django.db import models

from bandstand import clock

__all__ = ["Booking", "OrderNote", "Part", "Product"]


class Product(models.Model):
    """Something with every kind of column that an API shows."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7)
    sku = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=100)
    price_amount = models.BigIntegerField(default=0)
    price_currency = models.CharField(max_length=3, default="EUR")
    is_featured = models.BooleanField(default=False)
    owner = models.CharField(max_length=64, default="", db_default="")
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(price_amount__gte=0), name="project_price_positive")]


class Part(models.Model):
    """One of a product's parts."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="parts")
    number = models.IntegerField()


class Booking(models.Model):
    """Seats taken or given back (then negative) under a key; nothing here keeps a second line of the same key out."""

    key = models.CharField(max_length=255)
    seats = models.IntegerField()


class OrderNote(models.Model):
    """What became of an order, written by its saga; nothing here keeps a second line of the same order out."""

    order = models.CharField(max_length=64)
    status = models.TextField()
