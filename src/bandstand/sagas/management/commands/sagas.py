"""`manage.py sagas list|show|retry|cancel|purge`."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bandstand.clock import rfc3339
from bandstand.sagas import operations
from bandstand.sagas.models import SagaExecution, SagaStepLog
from bandstand.sagas.protocol import SagaStatus


class Command(BaseCommand):
    """Look at sagas and act on them."""

    help = (
        "List the sagas that have not ended, show one with its history, retry or cancel one, purge what ended long ago."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="those that have not ended, latest first")
        listing.add_argument("--status", action="append", choices=[status.value for status in SagaStatus])
        listing.add_argument("--type", help="only sagas of this name")
        listing.add_argument("--limit", type=int, default=50)
        listing.add_argument("--json", action="store_true")
        for name, text in (
            ("show", "one, with everything that was tried"),
            ("retry", "make the next attempt now"),
            ("cancel", "undo it, unless it has passed its pivot"),
        ):
            one = actions.add_parser(name, help=text)
            one.add_argument("id", type=UUID)
            one.add_argument("--json", action="store_true")
        purging = actions.add_parser("purge", help="delete those that ended long ago, with their history")
        purging.add_argument("--older-than-days", type=int, default=90)

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it; a fault is one sentence and exit status 1."""
        getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        rows = operations.find(statuses=options["status"], saga=options["type"], limit=options["limit"])
        facts = [_facts(row) for row in rows]
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        for fact in facts:
            at = f"{fact['direction']} {fact['step']} ({fact['attempt']})"
            self.stdout.write(f"{fact['id']}  {fact['status']}  {fact['type']}  {fact['key']}  {at}  {fact['error']}")
        if not facts:
            self.stdout.write("no such sagas" if options["status"] else "every saga has ended")

    def _show(self, options: dict[str, Any]) -> None:
        try:
            found = operations.timeline(options["id"])
        except SagaExecution.DoesNotExist:
            raise _unknown(options["id"]) from None
        facts = _facts(found.saga)
        lines = [_line(line) for line in found.log]
        if options["json"]:
            self.stdout.write(json.dumps({**facts, "log": lines}))
            return
        for name, value in facts.items():
            self.stdout.write(f"{name}: {value}")
        for line in lines:
            what = f"{line['direction']} {line['step']} ({line['attempt']})"
            self.stdout.write(f"  {line['at']}  {what}: {line['outcome']}  {line['error']}".rstrip())

    def _retry(self, options: dict[str, Any]) -> None:
        self._tell(options, done=operations.retry(options["id"]), what="is due now")

    def _cancel(self, options: dict[str, Any]) -> None:
        self._tell(options, done=operations.cancel(options["id"]), what="will turn back unless it has passed its pivot")

    def _purge(self, options: dict[str, Any]) -> None:
        deleted = operations.purge(older_than=timedelta(days=options["older_than_days"]))
        self.stdout.write(f"{deleted} deleted")

    def _tell(self, options: dict[str, Any], *, done: bool, what: str) -> None:
        if not done:
            raise _unknown(options["id"])
        facts = {"id": str(options["id"]), "done": True}
        self.stdout.write(json.dumps(facts) if options["json"] else f"{options['id']} {what}")


def _unknown(saga_id: UUID) -> CommandError:
    return CommandError(f"there is no saga {saga_id}, or it has ended")


def _facts(row: SagaExecution) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "type": row.type,
        "key": row.business_key,
        "status": row.status,
        "direction": row.direction,
        "step": row.step,
        "attempt": row.attempt,
        "reason": row.reason,
        "error": row.error,
        "cancel_requested": row.cancel_requested,
        "correlation_id": row.correlation_id,
        "deadline": rfc3339(row.deadline) if row.deadline else None,
        "next_at": rfc3339(row.next_at) if row.next_at else None,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def _line(line: SagaStepLog) -> dict[str, Any]:
    return {
        "at": rfc3339(line.at),
        "step": line.step,
        "direction": line.direction,
        "attempt": line.attempt,
        "outcome": line.outcome,
        "key": line.key,
        "error": line.error,
    }
