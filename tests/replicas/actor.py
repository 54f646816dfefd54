"""A service that keeps the replica, to be killed: `python -m tests.replicas.actor FOLDER migrate|LOOP`."""

import sys
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings

from bandstand.database import database_from_url


def main(folder: str, action: str) -> None:
    """Do one thing; loops run until the input ends."""
    settings.configure(
        INSTALLED_APPS=["bandstand.events", "bandstand.replicas", "tests.project"],
        DATABASES={"default": database_from_url(f"sqlite:///{Path(folder)}/mirror.sqlite3")},
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        BANDSTAND={
            "SERVICE": {"NAME": "mirror", "ENVIRONMENT": "test"},
            "EVENTS": {"BUS_URL": f"embedded:///{Path(folder)}/bus.sqlite3", "CONSUMER_BATCH": 7},
        },
        LOGGING_CONFIG=None,
    )
    django.setup()
    from bandstand.lifecycle import start_loops
    from bandstand.replicas.consuming import register
    from bandstand.replicas.declaration import declaration
    from tests.replicas.world import City

    if action == "migrate":
        from django.core.management import call_command

        call_command("migrate", run_syncdb=True, verbosity=0)
        return
    register(declaration(City))
    worker = start_loops([action])
    sys.stdin.read()
    worker.drain(timedelta(seconds=10))


if __name__ == "__main__":
    main(*sys.argv[1:])
