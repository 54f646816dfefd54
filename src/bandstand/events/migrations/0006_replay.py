"""Replays of history under way."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bandstand_events", "0005_schedules"),
    ]

    operations = [
        migrations.CreateModel(
            name="Replay",
            fields=[
                ("reader", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("consumers", models.TextField()),
                ("since", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField()),
            ],
            options={
                "db_table": "bandstand_events_replay",
            },
        ),
    ]
