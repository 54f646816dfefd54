"""Finding what is due of one consumer without looking at what waits for another."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bandstand_events", "0008_pause"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="waitingrow",
            index=models.Index(fields=["consumer", "next_at", "id"], name="bandstand_waiting_due"),
        ),
    ]
