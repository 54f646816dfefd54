"""The replica of addresses stands at marks."""

from django.db import migrations

from bandstand.replicas.migrating import adopt


class Migration(migrations.Migration):
    """Move the sequences from the rows to the marks."""

    dependencies = [("notifications", "0001_initial"), ("bandstand_replicas", "0001_initial")]
    operations = [
        adopt("notifications.recipient"),
        migrations.RemoveField("recipient", "sequence"),
    ]
