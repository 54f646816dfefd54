"""The read-only views by which others verify this service."""

from django.db import migrations

from bandstand.database.views import CreateView, Dialect


def _payments(sql: Dialect) -> str:
    return f"""
        SELECT key, {sql.uuid("order_id")} AS order_id, amount_minor AS amount, currency, state,
               CASE state WHEN 'refunded' THEN amount_minor ELSE refunded_minor END AS refunded_amount
        FROM payments_payment
    """


class Migration(migrations.Migration):
    """Create the view."""

    dependencies = [("payments", "0001_initial")]
    operations = [CreateView("audit_payments", _payments)]
