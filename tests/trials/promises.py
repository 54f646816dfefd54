"""What a machine's promises look like in the database: facts, their effects, and the queries that refute a promise."""

from django.db import connection, transaction

from bandstand.events.backends.embedded import EmbeddedBus
from bandstand.events.models import DeadLetter, DeliveredRow, InboxRow, Lease, OutboxRow, WaitingRow

__all__ = ["LOST", "OVERTAKEN", "PHANTOM", "TWICE", "clear", "is_relayed", "is_settled", "refute", "tables"]

_OURS = {
    "trial_fact": "number INTEGER PRIMARY KEY, subject TEXT",
    "trial_effect": "id {serial}, number INTEGER, subject TEXT",
}
_DIALECT = {
    "sqlite": {
        "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "excused": "SELECT value FROM json_each(%s)",
    },
    "postgresql": {
        "serial": "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "excused": "SELECT value::integer FROM json_array_elements_text(%s::json)",
    },
}
_TABLES = (OutboxRow, DeliveredRow, InboxRow, WaitingRow, DeadLetter, Lease)

PHANTOM = "SELECT number FROM trial_effect WHERE number NOT IN (SELECT number FROM trial_fact)"
TWICE = "SELECT number FROM trial_effect GROUP BY number HAVING count(*) > 1"
LOST = """
    SELECT number FROM trial_fact
     WHERE number NOT IN (SELECT number FROM trial_effect) AND number NOT IN ({excused})"""
OVERTAKEN = """
    SELECT number FROM (
           SELECT number, lag(number) OVER (PARTITION BY subject ORDER BY id) AS before FROM trial_effect
            WHERE number NOT IN ({excused})) AS effects
     WHERE number < before"""


def tables() -> None:
    """Make the tables of facts and effects anew: Django does not empty what are no models."""
    with connection.cursor() as cursor:
        for table, columns in _OURS.items():
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
            cursor.execute(f"CREATE TABLE {table} ({columns})".format(**_DIALECT[connection.vendor]))


def clear() -> None:
    """Forget the last example."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in (*_OURS, *(model._meta.db_table for model in _TABLES)):
            cursor.execute(f"DELETE FROM {table}")


def is_relayed() -> bool:
    """Whether every event has left the outbox for good."""
    return not OutboxRow.objects.exists()


def is_settled(url: str) -> bool:
    """Whether nothing is pending: outbox, bus, retries."""
    if not is_relayed() or WaitingRow.objects.exists():
        return False
    bus = EmbeddedBus(url)
    try:
        groups = bus.groups()
        return bool(groups) and all(report.lag == 0 for report in groups)
    finally:
        bus.close()


def refute(promise: str, statement: str, *values: str) -> None:
    """See that a query for what breaks a promise finds nothing."""
    with connection.cursor() as cursor:
        cursor.execute(statement.format(**_DIALECT[connection.vendor]), values)
        found = [number for (number,) in cursor.fetchall()]
    assert not found, f"{promise}: {found}"
