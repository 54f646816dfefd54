"""Orders as operators see them."""

from django.contrib import admin

from orders.models import Order, OrderHistory, OrderLine


class LineInline(admin.TabularInline[OrderLine, Order]):
    """The lines of an order."""

    model = OrderLine
    extra = 0


class HistoryInline(admin.TabularInline[OrderHistory, Order]):
    """The history of an order."""

    model = OrderHistory
    extra = 0


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin[Order]):
    """Read-mostly: an order moves by its saga alone."""

    list_display = ["created_at", "id", "user_id", "status", "reason", "total_minor", "currency"]
    list_filter = ["status", "reason"]
    search_fields = ["id", "user_id"]
    inlines = [LineInline, HistoryInline]
