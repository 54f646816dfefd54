"""The replica of availability stands at marks."""

from django.db import migrations, models

from bandstand.database.views import CreateView, Dialect, DropView
from bandstand.replicas.migrating import adopt


def audit_availability(sql: Dialect) -> str:
    """What this service believes is available."""
    return f"SELECT {sql.uuid('product_id')} AS product_id, available FROM products_availability"


class Migration(migrations.Migration):
    """Move the sequences from the rows to the marks; the view stands aside, for SQLite may make the table anew."""

    dependencies = [("products", "0002_audit"), ("bandstand_replicas", "0001_initial")]
    operations = [
        adopt("products.availability"),
        DropView("audit_availability", audit_availability),
        # The default is what reversing fills in.
        migrations.AlterField("availability", "sequence", models.BigIntegerField(default=0)),
        migrations.RemoveField("availability", "sequence"),
        migrations.RemoveField("availability", "updated_at"),
        CreateView("audit_availability", audit_availability),
    ]
