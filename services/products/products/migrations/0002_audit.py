"""The views that verifiers read (documented with the verification surface)."""

from django.db import migrations

from bandstand.database.views import CreateView, Dialect


def audit_availability(sql: Dialect) -> str:
    """What this service believes is available."""
    return f"SELECT {sql.uuid('product_id')} AS product_id, available FROM products_availability"


def audit_catalogue(sql: Dialect) -> str:
    """The catalogue as other services copy it."""
    return (
        f"SELECT {sql.uuid('id')} AS product_id, sku, price_minor AS amount, currency, is_active FROM products_product"
    )


class Migration(migrations.Migration):
    """Add the audit views."""

    dependencies = [("products", "0001_initial")]

    operations = [CreateView("audit_availability", audit_availability), CreateView("audit_catalogue", audit_catalogue)]
