"""The replica of the catalogue stands at marks, which remember what is sold no longer; its rows are what is sold."""

from django.db import migrations
from django.db.models import Q

from bandstand.database.views import CreateView, Dialect, DropView
from bandstand.replicas.migrating import adopt


def _before(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("product_id")} AS product_id, sku, price_minor AS amount, currency, is_active
        FROM orders_catalogueproduct
    """


def _after(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("product_id")} AS product_id, sku, price_minor AS amount, currency, TRUE AS is_active
        FROM orders_catalogueproduct
    """


class Migration(migrations.Migration):
    """Move sequences and retirements from the rows to the marks."""

    dependencies = [("orders", "0002_audit_views"), ("bandstand_replicas", "0001_initial")]
    operations = [
        adopt("orders.catalogueproduct", removed=Q(is_active=False)),
        DropView("audit_catalogue", _before),
        migrations.RemoveField("catalogueproduct", "is_active"),
        migrations.RemoveField("catalogueproduct", "sequence"),
        CreateView("audit_catalogue", _after),
    ]
