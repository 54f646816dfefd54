"""A service whose tasks go to Celery: `python -m tests.tasks.brokered migrate|enqueue N|hold|hand_over`."""

import sys
from datetime import timedelta

import django


def migrate() -> None:
    """Make the tables."""
    from tests.tasks.actor import migrate

    migrate()


def enqueue(number: str) -> None:
    """Enqueue so many tasks within one correlation; every tenth transaction changes its mind."""
    from django.db import connection, transaction

    from bandstand import context
    from tests.tasks import effects

    for each in range(int(number)):
        work = context.Context(correlation_id=f"correlation-{each}")
        with context.bound(work), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO fact (number) VALUES (%s)", (each,))
            print(effects.correlate.enqueue(each, secret="ada@example.com").id, flush=True)
            transaction.set_rollback(each % 10 == 9)


def hold(path: str) -> None:
    """Enqueue a task that lasts until the file *path* is there."""
    from tests.tasks import effects

    print(effects.hold.enqueue(path).id, flush=True)


def hand_over() -> None:
    """Run the loops until the input ends."""
    from bandstand.lifecycle import start_loops

    worker = start_loops(["tasks", "celery"])
    sys.stdin.read()
    worker.drain(timedelta(seconds=10))


if __name__ == "__main__":
    django.setup()
    globals()[sys.argv[1]](*sys.argv[2:])
