"""A service of its own, to be killed: `python -m tests.events.actor SERVICE FOLDER migrate|publish N|LOOP…`.

`shop` writes a row of `fact` and publishes it; `mirror` writes a row of `effect` for each. Nothing in these two tables
forbids doing it twice, so that a test can count.
"""

import os
import random
import sys
from datetime import timedelta
from pathlib import Path

import django
from django.conf import settings

from bandstand.database import database_from_url


def configure(service: str, folder: Path) -> None:
    """One database per service, one bus for both: that of TEST_BUS_URL."""
    settings.configure(
        INSTALLED_APPS=["bandstand.events"],
        DATABASES={"default": database_from_url(f"sqlite:///{folder}/{service}.sqlite3")},
        USE_TZ=True,
        BANDSTAND={
            "SERVICE": {"NAME": service, "ENVIRONMENT": "test"},
            "EVENTS": {"BUS_URL": os.environ["TEST_BUS_URL"], "RELAY_LEASE": timedelta(milliseconds=500)},
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
        cursor.execute("CREATE TABLE fact (number INTEGER, subject TEXT)")
        cursor.execute("CREATE TABLE effect (id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER, subject TEXT)")


def declare() -> None:
    """The event and its consumer."""
    from django.db import connection

    from bandstand.events import Event, consumer

    class FactNoted(Event, name="shop.fact_noted.v1", subject="subject"):
        subject: str
        number: int

    def mirror_fact(event, envelope):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO effect (number, subject) VALUES (%s, %s)", (event.number, event.subject))

    globals()["FactNoted"] = FactNoted
    if settings.BANDSTAND["SERVICE"]["NAME"] == "mirror":
        consumer(FactNoted)(mirror_fact)


def publish_facts(count: int) -> None:
    """Note facts one by one; some transactions change their mind."""
    from django.db import connection, transaction

    from bandstand.events import publish

    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(number), 0) FROM fact")
        (last,) = cursor.fetchone()
    for number in range(last + 1, last + 1 + count):
        subject = f"subject-{number % 5}"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO fact (number, subject) VALUES (%s, %s)", (number, subject))
            publish(globals()["FactNoted"](subject=subject, number=number))
            if random.random() < 0.1:
                transaction.set_rollback(True)


def main(service: str, folder: str, action: str, *arguments: str) -> None:
    """Do one thing; loops run until the input ends."""
    configure(service, Path(folder))
    declare()
    if action == "migrate":
        migrate()
    elif action == "publish":
        publish_facts(int(arguments[0]))
    else:
        from bandstand.lifecycle import start_loops

        worker = start_loops([action, *arguments])
        sys.stdin.read()
        worker.drain(timedelta(seconds=10))


if __name__ == "__main__":
    main(*sys.argv[1:])
