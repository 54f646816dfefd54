"""The tables of events and the views that verification reads."""

from django.db import migrations, models

import bandstand.clock
from bandstand.database.views import CreateView, Dialect


def _outbox(sql: Dialect) -> str:
    columns = f"{sql.uuid('event_id')} AS event_id, type, subject, id AS sequence"
    return f"""
        SELECT {columns}, CASE WHEN dead_at IS NULL THEN 'pending' ELSE 'dead' END AS state,
               {sql.time("created_at")} AS created_at, NULL AS delivered_at
          FROM bandstand_events_outbox
         UNION ALL
        SELECT {columns}, 'delivered', {sql.time("created_at")}, {sql.time("delivered_at")}
          FROM bandstand_events_delivered"""


def _inbox(sql: Dialect) -> str:
    return f"""
        SELECT consumer, {sql.uuid("event_id")} AS event_id, {sql.time("applied_at")} AS applied_at
          FROM bandstand_events_inbox WHERE applied_at IS NOT NULL"""


def _dead_letters(sql: Dialect) -> str:
    return f"""
        SELECT consumer, {sql.uuid("event_id")} AS event_id, type, attempts, reason, state,
               {sql.time("first_failed_at")} AS first_failed_at
          FROM bandstand_events_dead_letter"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="DeliveredRow",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField()),
                ("type", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                ("delivered_at", models.DateTimeField()),
            ],
            options={
                "db_table": "bandstand_events_delivered",
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=50, primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=100)),
                ("until", models.DateTimeField()),
            ],
            options={
                "db_table": "bandstand_events_lease",
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.UUIDField(default=bandstand.clock.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("consumer", models.CharField(max_length=200)),
                ("event_id", models.UUIDField()),
                ("type", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=200)),
                ("envelope", models.TextField()),
                ("attempts", models.PositiveSmallIntegerField()),
                ("reason", models.TextField()),
                ("traceback", models.TextField(default="")),
                (
                    "state",
                    models.CharField(
                        choices=[("dead", "Dead"), ("replayed", "Replayed"), ("discarded", "Discarded")],
                        default="dead",
                        max_length=10,
                    ),
                ),
                ("first_failed_at", models.DateTimeField()),
                ("died_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "bandstand_events_dead_letter",
                "indexes": [models.Index(fields=["state", "died_at"], name="bandstand_dead_letter_state")],
                "constraints": [
                    models.UniqueConstraint(fields=("consumer", "event_id"), name="bandstand_dead_letter_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="InboxRow",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "consumer", "event_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("consumer", models.CharField(max_length=200)),
                ("event_id", models.UUIDField()),
                ("applied_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "bandstand_events_inbox",
                "indexes": [models.Index(fields=["applied_at"], name="bandstand_inbox_applied")],
            },
        ),
        migrations.CreateModel(
            name="OutboxRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField()),
                ("type", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=200)),
                ("envelope", models.TextField()),
                ("created_at", models.DateTimeField()),
                ("attempts", models.PositiveSmallIntegerField(db_default=0, default=0)),
                ("next_at", models.DateTimeField(null=True)),
                ("dead_at", models.DateTimeField(null=True)),
                ("reason", models.TextField(db_default="", default="")),
            ],
            options={
                "db_table": "bandstand_events_outbox",
                "indexes": [
                    models.Index(
                        condition=models.Q(("attempts__gt", 0)),
                        fields=["subject", "id"],
                        name="bandstand_outbox_refused",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitingRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("consumer", models.CharField(max_length=200)),
                ("event_id", models.UUIDField()),
                ("type", models.CharField(max_length=200)),
                ("subject", models.CharField(max_length=200)),
                ("envelope", models.TextField()),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField()),
                ("first_failed_at", models.DateTimeField(null=True)),
                ("reason", models.TextField(default="")),
                ("traceback", models.TextField(default="")),
            ],
            options={
                "db_table": "bandstand_events_waiting",
                "indexes": [models.Index(fields=["consumer", "subject", "id"], name="bandstand_waiting_key")],
                "constraints": [
                    models.UniqueConstraint(fields=("consumer", "event_id"), name="bandstand_waiting_once")
                ],
            },
        ),
        CreateView("audit_outbox", _outbox),
        CreateView("audit_inbox", _inbox),
        CreateView("audit_dead_letters", _dead_letters),
    ]
