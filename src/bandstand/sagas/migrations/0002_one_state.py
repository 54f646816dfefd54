"""One column for all that the engine keeps, signals for all that is said from outside, and a fuller history."""

from collections.abc import Iterator
from typing import Any

import msgspec
from django.db import migrations, models

from bandstand.clock import rfc3339
from bandstand.database.views import CreateView, Dialect, DropView

_BATCH = 500
_LIVE = [
    "compensating",
    "compensation_failed",
    "parked",
    "pending",
    "running",
    "unknown",
    "waiting",
]
_ENDED = ["cancelled", "compensated", "completed"]


def _sagas_before(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("id")} AS saga_id, type, business_key, status AS state, step, epoch,
               {sql.time("updated_at")} AS updated_at
          FROM bandstand_sagas_sagaexecution"""


def _saga_steps_before(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("saga_id")} AS saga_id, step, direction, attempt, outcome, key, {sql.time("at")} AS at
          FROM bandstand_sagas_sagasteplog"""


def _sagas(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("id")} AS saga_id, type, business_key,
               CASE WHEN status IN ('pending', 'unknown', 'parked') THEN 'waiting' ELSE status END AS state,
               step, epoch, {sql.time("updated_at")} AS updated_at
          FROM bandstand_sagas_sagaexecution"""


def _saga_steps(sql: Dialect) -> str:
    return f"""
        SELECT {sql.uuid("saga_id")} AS saga_id, step, direction, attempt,
               CASE outcome WHEN 'absent' THEN 'failed' WHEN 'skipped' THEN 'ok' ELSE outcome END AS outcome,
               key, {sql.time("at")} AS at
          FROM bandstand_sagas_sagasteplog WHERE outcome <> 'begun'"""


def _leave_room(_apps: Any, schema_editor: Any) -> None:
    """Have PostgreSQL leave room in each page for the next versions of its rows."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE bandstand_sagas_sagaexecution SET (fillfactor = 60)")


def _write_states(apps: Any, _: Any) -> None:
    """Say in the new column what the old ones say of each saga that has not ended."""
    execution, wish = apps.get_model("bandstand_sagas", "SagaExecution"), apps.get_model(*_WISHES)
    wished = set(wish.objects.values_list("saga_id", flat=True))
    for batch in _batches(execution.objects.filter(lease_until__isnull=False)):
        for row in batch:
            row.state = msgspec.json.encode(_state_of(row, is_wished=row.pk in wished)).decode()
        execution.objects.bulk_update(batch, ["state"])


_WISHES = ("bandstand_sagas", "CancelRequest")


def _batches(rows: Any) -> Iterator[list[Any]]:
    last = None
    while batch := list((rows.filter(pk__gt=last) if last else rows).order_by("pk")[:_BATCH]):
        yield batch
        last = batch[-1].pk


def _state_of(row: Any, *, is_wished: bool) -> dict[str, Any]:
    """A linear saga has one step at hand; which kinds lie behind it is found out by going on."""
    forward = row.direction == "do"
    under_way = row.next_at is None and row.attempt > 0
    phases = ("calling", "pausing") if forward else ("undoing", "resting")
    at = {
        "unit": row.step,
        "phase": phases[0] if under_way else phases[1],
        "since": rfc3339(row.since),
        "attempt": row.attempt,
        "next_at": None if under_way else rfc3339(row.next_at or row.since),
        "doubt": forward and row.attempt > 1,
        "error": row.error,
    }
    return {
        "status": row.status,
        "direction": row.direction,
        "at": [at] if row.attempt or not forward or row.done else [],
        "done": row.done,
        "deadline": rfc3339(row.deadline) if row.deadline else None,
        "ending": row.ending or None,
        "reason": row.reason,
        "cancel_requested": row.cancel_requested or is_wished,
    }


class Migration(migrations.Migration):
    dependencies = [("bandstand_sagas", "0001_initial")]

    operations = [
        DropView("audit_sagas", _sagas_before),
        DropView("audit_saga_steps", _saga_steps_before),
        migrations.CreateModel(
            name="SagaSignal",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("saga_id", models.UUIDField()),
                ("name", models.CharField(max_length=16)),
                ("step", models.CharField(blank=True, max_length=160)),
                ("payload", models.TextField(blank=True)),
                ("said_by", models.CharField(blank=True, max_length=150)),
                ("note", models.TextField(blank=True)),
                ("at", models.DateTimeField()),
                ("taken_at", models.DateTimeField(null=True)),
                ("kept", models.BooleanField(default=False)),
            ],
            options={
                "verbose_name": "saga signal",
                "indexes": [
                    models.Index(fields=["saga_id", "id"], name="saga_signals"),
                    models.Index(
                        fields=["id"],
                        name="saga_signals_new",
                        condition=models.Q(("kept", False), ("taken_at__isnull", True)),
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SagaQuota",
            fields=[
                ("type", models.CharField(max_length=100, primary_key=True, serialize=False)),
                (
                    "used_until",
                    models.DateTimeField(help_text="The moment up to which the rate of starts is used up.", null=True),
                ),
            ],
        ),
        migrations.RemoveConstraint("sagaexecution", "saga_ended_has_no_owner"),
        migrations.RemoveIndex("sagaexecution", "saga_live"),
        migrations.AddField(
            "sagaexecution",
            "state",
            models.TextField(default="{}", help_text="The engine's state, as JSON."),
            preserve_default=False,
        ),
        migrations.RunPython(_write_states, migrations.RunPython.noop),
        migrations.DeleteModel("CancelRequest"),
        migrations.RemoveField("sagaexecution", "cancel_requested"),
        migrations.RemoveField("sagaexecution", "done"),
        migrations.RemoveField("sagaexecution", "ending"),
        migrations.RemoveField("sagaexecution", "since"),
        migrations.AddField("sagaexecution", "version", models.PositiveIntegerField(default=1)),
        migrations.AddField("sagaexecution", "priority", models.SmallIntegerField(default=0)),
        migrations.AddField(
            "sagaexecution",
            "limit_key",
            models.CharField(
                help_text="What a limit per key counts together; only of types that have a limit.",
                max_length=200,
                null=True,
            ),
        ),
        migrations.AddField(
            "sagaexecution",
            "parent_id",
            models.UUIDField(help_text="The saga of which this one is a step.", null=True),
        ),
        migrations.AddField("sagaexecution", "parent_step", models.CharField(blank=True, max_length=160)),
        migrations.AlterField(
            "sagaexecution",
            "status",
            models.CharField(
                choices=[
                    ("pending", "pending"),
                    ("running", "running"),
                    ("waiting", "waiting"),
                    ("unknown", "unknown"),
                    ("compensating", "compensating"),
                    ("compensation_failed", "compensation failed"),
                    ("parked", "parked"),
                    ("completed", "completed"),
                    ("compensated", "compensated"),
                    ("cancelled", "cancelled"),
                ],
                default="running",
                max_length=24,
            ),
        ),
        migrations.AlterField(
            "sagaexecution",
            "step",
            models.CharField(blank=True, help_text="The first of the steps at hand.", max_length=160),
        ),
        migrations.AddField("sagasteplog", "output", models.TextField(blank=True, default=""), preserve_default=False),
        migrations.AddField("sagasteplog", "worker", models.UUIDField(null=True)),
        migrations.AlterField("sagasteplog", "key", models.CharField(max_length=200)),
        migrations.AlterField("sagasteplog", "step", models.CharField(max_length=160)),
        migrations.AlterField(
            "sagasteplog",
            "outcome",
            models.CharField(
                choices=[
                    ("intent", "intent"),
                    ("ok", "ok"),
                    ("refused", "refused"),
                    ("unknown", "unknown"),
                    ("failed", "failed"),
                    ("absent", "absent"),
                    ("begun", "begun"),
                    ("skipped", "skipped"),
                ],
                max_length=8,
            ),
        ),
        migrations.AddIndex(
            "sagaexecution",
            models.Index(
                condition=models.Q(("lease_until__isnull", False)),
                fields=["-priority", "lease_until"],
                name="saga_live",
            ),
        ),
        migrations.AddIndex(
            "sagaexecution",
            models.Index(
                condition=models.Q(("lease_until__isnull", False), ("limit_key__isnull", False)),
                fields=["type", "limit_key"],
                name="saga_limited",
            ),
        ),
        migrations.AddIndex(
            "sagaexecution",
            models.Index(condition=models.Q(("parent_id__isnull", False)), fields=["parent_id"], name="saga_children"),
        ),
        migrations.AddConstraint(
            "sagaexecution",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease_until__isnull", False), ("status__in", _LIVE)),
                    models.Q(
                        ("lease_until__isnull", True),
                        ("owner__isnull", True),
                        ("status__in", _ENDED),
                    ),
                    _connector="OR",
                ),
                name="saga_ended_has_no_owner",
            ),
        ),
        migrations.RunPython(_leave_room, migrations.RunPython.noop),
        CreateView("audit_sagas", _sagas),
        CreateView("audit_saga_steps", _saga_steps),
    ]
