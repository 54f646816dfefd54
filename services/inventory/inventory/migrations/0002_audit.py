"""The views that verifiers read (documented with the verification surface)."""

from django.db import migrations

from bandstand.database.views import CreateView, Dialect


def audit_stock(sql: Dialect) -> str:
    """Each stock row."""
    return (
        f"SELECT {sql.uuid('product_id')} AS product_id, sku, initial, restocked, available, held, sold"
        " FROM inventory_stock"
    )


def audit_reservations(sql: Dialect) -> str:
    """One row per line; a tombstone, which has none, is one row without product and of quantity 0."""
    return (
        f"SELECT r.key, {sql.uuid('r.order_id')} AS order_id, {sql.uuid('l.product_id')} AS product_id,"
        f" COALESCE(l.quantity, 0) AS quantity, r.state, {sql.time('r.expires_at')} AS expires_at"
        " FROM inventory_reservation r LEFT JOIN inventory_reservationline l ON l.reservation_id = r.key"
    )


class Migration(migrations.Migration):
    """Add the audit views."""

    dependencies = [("inventory", "0001_initial")]

    operations = [CreateView("audit_stock", audit_stock), CreateView("audit_reservations", audit_reservations)]
