"""The read-only views by which others verify this service."""

from django.db import migrations

from bandstand.database.views import CreateView, Dialect


def _orders(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("id")} AS order_id, {sql.uuid("user_id")} AS user_id, status, total_minor AS total_amount,
               currency, {sql.time("created_at")} AS created_at, {sql.time("updated_at")} AS updated_at
        FROM orders_order
    """


def _history(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("order_id")} AS order_id, seq, status, {sql.time("at")} AS at FROM orders_orderhistory
    """


def _statistics(sql: Dialect) -> str:
    day = "day::text" if sql.vendor == "postgresql" else "day"
    return f"""
        SELECT {day} AS day, status, sum(count) AS count, sum(total_minor) AS total_amount
        FROM orders_dailystatistic GROUP BY 1, 2
    """


def _catalogue(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("product_id")} AS product_id, sku, price_minor AS amount, currency, is_active
        FROM orders_catalogueproduct
    """


class Migration(migrations.Migration):
    """Create the views."""

    dependencies = [("orders", "0001_initial")]
    operations = [
        CreateView("audit_orders", _orders),
        CreateView("audit_order_history", _history),
        CreateView("audit_statistics", _statistics),
        CreateView("audit_catalogue", _catalogue),
    ]
