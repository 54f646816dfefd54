"""The two questions every service asks of its own database."""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

__all__ = ["check_database", "pending_migrations"]


def check_database() -> Mapping[str, Any]:
    """Ask the default database for one row. Raises what the driver raises."""
    connection = connections["default"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return {"engine": connection.vendor}


def pending_migrations() -> list[str]:
    """The migrations on disk that the default database has not seen, as `app.name`.

    Compares file names with the table, because Django's own plan imports every migration: a process that starts ten
    times as often as it migrates should not pay that each time.
    """
    applied = MigrationRecorder(connections["default"]).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in _on_disk() if (app, name) not in applied)


def _on_disk() -> Iterator[tuple[str, str]]:
    for app in apps.get_app_configs():
        module = settings.MIGRATION_MODULES.get(app.label, f"{app.name}.migrations")
        spec = find_spec(module) if module else None
        if spec is None or not spec.submodule_search_locations:
            continue
        for found in pkgutil.iter_modules(spec.submodule_search_locations):
            if not found.ispkg and found.name[0] not in "_~":
                yield app.label, found.name
