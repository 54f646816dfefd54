"""Deeds on tasks in the audit trail."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bandstand_events", "0009_waiting_due"),
    ]

    operations = [
        migrations.AlterField(
            model_name="eventaction",
            name="action",
            field=models.CharField(
                choices=[
                    ("replay", "Replay"),
                    ("edit", "Edit"),
                    ("discard", "Discard"),
                    ("revive", "Revive"),
                    ("publish", "Publish"),
                    ("pause", "Pause"),
                    ("resume", "Resume"),
                    ("forget", "Forget"),
                    ("retry", "Retry"),
                ],
                max_length=10,
            ),
        ),
    ]
