"""A service of its own, to be killed: `python -m tests.tasks.actor URL FOLDER migrate|enqueue N|work`.

`count` writes a row of `effect` per run under its task's id. Nothing in the table forbids doing it twice, so that a
test can count runs and effects.
"""

import random
import sys
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings

from bandstand.database import database_from_url


def configure(url: str) -> None:
    """One database; leases short enough for a test."""
    settings.configure(
        INSTALLED_APPS=["bandstand.events", "bandstand.tasks"],
        DATABASES={"default": database_from_url(url)},
        USE_TZ=True,
        TASKS={"default": {"BACKEND": "bandstand.tasks.backend.DurableBackend", "QUEUES": []}},
        BANDSTAND={
            "SERVICE": {"NAME": "actor", "ENVIRONMENT": "test"},
            "TASKS": {"LEASE": timedelta(seconds=1), "ATTEMPTS": 1_000, "SAFETY_POLL": timedelta(milliseconds=200)},
        },
        LOGGING_CONFIG=None,
    )
    django.setup()


def migrate() -> None:
    """Make the tables."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE fact (number INTEGER)")
        cursor.execute("CREATE TABLE effect (number INTEGER, task TEXT)")


def enqueue(count: int) -> None:
    """Write facts with their tasks one by one; some transactions change their mind."""
    from django.db import connection, transaction

    from tests.tasks import effects

    for number in range(count):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO fact (number) VALUES (%s)", (number,))
            effects.count.enqueue(number)
            if random.random() < 0.1:
                transaction.set_rollback(True)


def main(url: str, folder: str, action: str, *arguments: str) -> None:
    """Do one thing; the worker works until the input ends."""
    Path(folder).mkdir(exist_ok=True)
    configure(url)
    if action == "migrate":
        migrate()
    elif action == "enqueue":
        enqueue(int(arguments[0]))
    else:
        from bandstand.lifecycle import start_loops

        worker = start_loops(["tasks"])
        sys.stdin.read()
        worker.drain(timedelta(seconds=10))


if __name__ == "__main__":
    main(*sys.argv[1:])
