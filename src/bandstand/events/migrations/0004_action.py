"""The audit trail of what people do to events by hand, and the view on it."""

from django.db import migrations, models

from bandstand.database.views import CreateView, Dialect


def _actions(sql: Dialect) -> str:
    ids = f"{sql.uuid('dead_letter')} AS dead_letter, {sql.uuid('event_id')} AS event_id"
    return f"""
        SELECT {sql.time("at")} AS at, actor, action, consumer, type, {ids}, note
          FROM bandstand_events_action"""


class Migration(migrations.Migration):
    dependencies = [("bandstand_events", "0003_outbox_slot")]

    operations = [
        migrations.CreateModel(
            name="EventAction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(max_length=200)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("replay", "Replay"),
                            ("edit", "Edit"),
                            ("discard", "Discard"),
                            ("revive", "Revive"),
                            ("publish", "Publish"),
                            ("pause", "Pause"),
                            ("resume", "Resume"),
                            ("forget", "Forget"),
                        ],
                        max_length=10,
                    ),
                ),
                ("consumer", models.CharField(default="", max_length=200)),
                ("type", models.CharField(default="", max_length=200)),
                ("dead_letter", models.UUIDField(null=True)),
                ("event_id", models.UUIDField(null=True)),
                ("note", models.TextField(default="")),
                ("before", models.TextField(default="")),
                ("after", models.TextField(default="")),
            ],
            options={
                "db_table": "bandstand_events_action",
                "indexes": [models.Index(fields=["dead_letter"], name="bandstand_action_letter")],
            },
        ),
        CreateView("audit_event_actions", _actions),
    ]
