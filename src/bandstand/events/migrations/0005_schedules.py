"""What waits for its moment: delayed events and schedules."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bandstand_events", "0004_action"),
    ]

    operations = [
        migrations.CreateModel(
            name="ScheduleRow",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("rule", models.CharField(max_length=200)),
                ("next_at", models.DateTimeField()),
                ("last_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "bandstand_events_schedule",
            },
        ),
        migrations.CreateModel(
            name="ScheduledRow",
            fields=[
                ("event_id", models.UUIDField(primary_key=True, serialize=False)),
                ("type", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=200)),
                ("envelope", models.TextField()),
                ("due_at", models.DateTimeField()),
            ],
            options={
                "db_table": "bandstand_events_scheduled",
                "indexes": [models.Index(fields=["due_at", "event_id"], name="bandstand_scheduled_due")],
            },
        ),
    ]
