"""Payments as operators see them."""

from django.contrib import admin

from payments.models import Payment, Refund


class RefundInline(admin.TabularInline[Refund, Payment]):
    """The refunds of a payment."""

    model = Refund
    extra = 0


@admin.register(Payment)
class PaymentAdmin(admin.ModelAdmin[Payment]):
    """Read-mostly: a payment moves by its key alone."""

    list_display = ["created_at", "key", "order_id", "state", "reason", "amount_minor", "refunded_minor", "currency"]
    list_filter = ["state", "reason"]
    search_fields = ["key", "order_id", "user_id"]
    inlines = [RefundInline]
