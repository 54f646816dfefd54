"""The inventory in Django's admin: to be read, never written, since every change is a movement with its events."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from inventory.models import Movement, Reservation, ReservationLine, Stock

__all__ = ["MovementAdmin", "ReservationAdmin", "StockAdmin"]


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


@admin.register(Stock)
class StockAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Stock by product."""

    list_display = ("sku", "available", "held", "sold", "restocked", "initial", "product_id")
    search_fields = ("sku",)


@admin.register(Movement)
class MovementAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """The ledger, newest first."""

    list_display = ("at", "product", "kind", "available", "held", "sold", "reason", "reservation_key", "actor")
    list_filter = ("kind",)
    list_select_related = ("product",)
    ordering = ("-id",)
    show_full_result_count = False


class LineInline(_ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # no generic at run time
    """Lines of a reservation."""

    model = ReservationLine


@admin.register(Reservation)
class ReservationAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Reservations with their lines."""

    list_display = ("key", "state", "order_id", "expires_at", "updated_at")
    list_filter = ("state",)
    search_fields = ("key",)
    inlines = (LineInline,)
    show_full_result_count = False
