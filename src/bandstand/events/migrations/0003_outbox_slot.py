"""Give outbox rows a slot, by which several relays share them."""

from django.db import migrations, models

# By hand: on SQLite Django would copy the table, and an empty copy forgets which ids were given before.
_ADD = "ALTER TABLE bandstand_events_outbox ADD COLUMN slot smallint NOT NULL DEFAULT 0"
_DROP = "ALTER TABLE bandstand_events_outbox DROP COLUMN slot"


class Migration(migrations.Migration):
    dependencies = [("bandstand_events", "0002_vacuum_soon")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(_ADD, _DROP)],
            state_operations=[
                migrations.AddField("OutboxRow", "slot", models.SmallIntegerField(db_default=0, default=0)),
            ],
        )
    ]
