"""Consumers and groups that somebody paused."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bandstand_events", "0007_bookmark"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pause",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("paused_at", models.DateTimeField()),
            ],
            options={
                "db_table": "bandstand_events_pause",
            },
        ),
    ]
