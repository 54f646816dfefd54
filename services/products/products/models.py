"""The catalogue, and a replica of what inventory says is available."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from bandstand import clock
from bandstand.replicas import Replica

__all__ = ["Availability", "Product", "searchable"]


def searchable(*texts: str) -> str:
    """The form in which texts are stored to be searched, and search terms are looked up: case does not matter.

    Folded here because SQLite's LIKE only knows the case of ASCII letters.
    """
    return "\n".join(texts).casefold()


class Product(models.Model):
    """Something the shop sells, or sold: a retired product keeps its row, since orders refer to it."""

    id = models.UUIDField(primary_key=True, default=clock.uuid7, editable=False)
    sku = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    price_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    is_featured = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True, editable=False)
    search_text = models.TextField(editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[models.Manager["Product"]] = models.Manager()
    availability: "Availability"

    class Meta:
        constraints = [
            models.UniqueConstraint(name="product_sku_is_unique", fields=["sku"]),
            models.CheckConstraint(name="product_price_is_positive", condition=Q(price_minor__gt=0)),
        ]
        # Partial, not led by `is_active`: SQLite reads an order off an index behind equalities only, and Django writes
        # the condition as a bare column.
        indexes = [
            models.Index(name="catalogue_by_name", fields=["name", "id"], condition=Q(is_active=True)),
            models.Index(name="catalogue_by_price", fields=["price_minor", "id"], condition=Q(is_active=True)),
            models.Index(name="catalogue_by_age", fields=["created_at", "id"], condition=Q(is_active=True)),
            models.Index(name="catalogue_featured", fields=["id"], condition=Q(is_active=True, is_featured=True)),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, with the text to be searched following the fields that it is made of."""
        self.search_text = searchable(self.sku, self.name, self.description)
        fields = kwargs.get("update_fields")
        if fields is not None:
            kwargs["update_fields"] = {*fields, "search_text"}
        super().save(*args, **kwargs)

    @property
    def available(self) -> int | None:
        """What the replica last heard, or None before the first event. Read it with `select_related`."""
        try:
            return self.availability.available
        except Availability.DoesNotExist:
            return None


class Availability(Replica):
    """How many units inventory said can be ordered.

    No constraint ties it to the catalogue: an event may tell of a product whose own row is still being made.
    """

    product = models.OneToOneField(Product, on_delete=models.CASCADE, primary_key=True, db_constraint=False)
    available = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "availability"
        constraints = [
            models.CheckConstraint(name="availability_is_never_negative", condition=Q(available__gte=0)),
        ]

    class Source:
        """The stock, which inventory owns."""

        kept_by = ("inventory.stock_changed.v1",)
