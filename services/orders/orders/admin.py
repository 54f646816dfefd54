"""Orders in Django's admin: to be read, never written, since an order moves by its saga alone."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from orders.models import Order, OrderHistory, OrderLine

__all__ = ["OrderAdmin"]


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class LineInline(_ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # no generic at run time
    """The lines of an order."""

    model = OrderLine


class HistoryInline(_ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # no generic at run time
    """The history of an order."""

    model = OrderHistory


@admin.register(Order)
class OrderAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Orders with lines and history, without the means of payment."""

    list_display = ("created_at", "id", "user_id", "status", "reason", "total_minor", "currency")
    list_filter = ("status", "reason")
    search_fields = ("id", "user_id")
    exclude = ("payment_method",)
    inlines = (LineInline, HistoryInline)
    show_full_result_count = False
