"""Have PostgreSQL clean the tables whose rows come and go as soon as a thousand are dead, at full speed."""

from typing import Any

from django.db import migrations

_TABLES = ("bandstand_events_outbox", "bandstand_events_waiting")
_SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_vacuum_cost_delay": "0",
    "autovacuum_analyze_scale_factor": "0",
    "autovacuum_analyze_threshold": "1000",
}


def _tune(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        settings = ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items())
        for table in _TABLES:
            schema_editor.execute(f"ALTER TABLE {table} SET ({settings})")


def _reset(_apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for table in _TABLES:
            schema_editor.execute(f"ALTER TABLE {table} RESET ({', '.join(_SETTINGS)})")


class Migration(migrations.Migration):
    dependencies = [("bandstand_events", "0001_initial")]

    operations = [migrations.RunPython(_tune, _reset)]
