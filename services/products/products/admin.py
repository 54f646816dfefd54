"""The catalogue in Django's admin: to be read; writes go through the API, which publishes them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from products.models import Availability, Product

__all__ = ["AvailabilityAdmin", "ProductAdmin"]


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Product)
class ProductAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Products."""

    list_display = ("sku", "name", "price_minor", "currency", "available", "is_featured", "is_active", "updated_at")
    list_filter = ("is_active", "is_featured")
    list_select_related = ("availability",)
    search_fields = ("sku", "name")


@admin.register(Availability)
class AvailabilityAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """The replica of availability."""

    list_display = ("product_id", "available")
