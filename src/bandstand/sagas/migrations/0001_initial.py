"""The tables of sagas and the views that verification reads."""

import django.core.serializers.json
from django.db import migrations, models

import bandstand.clock
from bandstand.database.views import CreateView, Dialect


def _sagas(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("id")} AS saga_id, type, business_key, status AS state, step, epoch,
               {sql.time("updated_at")} AS updated_at
          FROM bandstand_sagas_sagaexecution"""


def _saga_steps(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("saga_id")} AS saga_id, step, direction, attempt, outcome, key, {sql.time("at")} AS at
          FROM bandstand_sagas_sagasteplog"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="CancelRequest",
            fields=[
                ("saga_id", models.UUIDField(primary_key=True, serialize=False)),
                ("requested_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="SagaExecution",
            fields=[
                (
                    "id",
                    models.UUIDField(default=bandstand.clock.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("type", models.CharField(max_length=100)),
                ("business_key", models.CharField(max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("running", "running"),
                            ("waiting", "waiting"),
                            ("compensating", "compensating"),
                            ("compensation_failed", "compensation failed"),
                            ("completed", "completed"),
                            ("compensated", "compensated"),
                            ("cancelled", "cancelled"),
                        ],
                        default="running",
                        max_length=24,
                    ),
                ),
                ("step", models.CharField(max_length=100)),
                ("direction", models.CharField(choices=[("do", "do"), ("undo", "undo")], default="do", max_length=4)),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("since", models.DateTimeField(help_text="When the step at hand was first intended.")),
                (
                    "done",
                    models.JSONField(default=list, help_text="Steps that happened, or may have, and are not undone."),
                ),
                (
                    "context_data",
                    models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                (
                    "ending",
                    models.CharField(blank=True, help_text="How it will end once everything is undone.", max_length=24),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("error", models.TextField(blank=True, help_text="What the last attempt met.")),
                ("cancel_requested", models.BooleanField(default=False)),
                ("correlation_id", models.CharField(blank=True, max_length=64)),
                ("traceparent", models.CharField(blank=True, max_length=55)),
                ("epoch", models.PositiveBigIntegerField(default=1)),
                ("owner", models.UUIDField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("next_at", models.DateTimeField(null=True)),
                ("deadline", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "saga",
                "indexes": [
                    models.Index(
                        condition=models.Q(("lease_until__isnull", False)), fields=["lease_until"], name="saga_live"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("type", "business_key"), name="saga_once_per_business_key"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("lease_until__isnull", False),
                                ("status__in", ["compensating", "compensation_failed", "running", "waiting"]),
                            ),
                            models.Q(
                                ("lease_until__isnull", True),
                                ("owner__isnull", True),
                                ("status__in", ["cancelled", "compensated", "completed"]),
                            ),
                            _connector="OR",
                        ),
                        name="saga_ended_has_no_owner",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SagaStepLog",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("saga_id", models.UUIDField()),
                ("step", models.CharField(max_length=100)),
                ("direction", models.CharField(choices=[("do", "do"), ("undo", "undo")], max_length=4)),
                ("attempt", models.PositiveIntegerField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("intent", "intent"),
                            ("ok", "ok"),
                            ("refused", "refused"),
                            ("unknown", "unknown"),
                            ("failed", "failed"),
                        ],
                        max_length=8,
                    ),
                ),
                ("key", models.CharField(max_length=160)),
                ("at", models.DateTimeField()),
                ("error", models.TextField(blank=True)),
            ],
            options={
                "verbose_name": "saga step",
                "indexes": [models.Index(fields=["saga_id", "id"], name="saga_log_by_saga")],
            },
        ),
        CreateView("audit_sagas", _sagas),
        CreateView("audit_saga_steps", _saga_steps),
    ]
