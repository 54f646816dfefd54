"""Payments in Django's admin: to be read, never written, since money moves by its key alone."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from payments.models import Payment, Refund

__all__ = ["PaymentAdmin"]


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class RefundInline(_ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # no generic at run time
    """The refunds of a payment."""

    model = Refund


@admin.register(Payment)
class PaymentAdmin(_ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # no generic at run time
    """Payments with their refunds."""

    list_display = ("created_at", "key", "order_id", "state", "reason", "amount_minor", "refunded_minor", "currency")
    list_filter = ("state", "reason")
    search_fields = ("key", "order_id", "user_id")
    inlines = (RefundInline,)
    show_full_result_count = False
