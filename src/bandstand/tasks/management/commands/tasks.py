"""`manage.py tasks list|show|retry|discard`."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from bandstand.clock import rfc3339
from bandstand.events.operations.options import positive
from bandstand.events.operations.output import Error, faults_as_errors
from bandstand.tasks import operations
from bandstand.tasks.models import TaskRow


class Command(BaseCommand):
    """Look at tasks and act on them."""

    help = "List the tasks that failed, show one, retry or discard some."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="those that failed, oldest first")
        listing.add_argument(
            "--state", action="append", choices=TaskRow.State.values, help="those in this state instead"
        )
        listing.add_argument("--task", help="only those of this function")
        listing.add_argument("--limit", type=positive, default=100, help="how many at most")
        listing.add_argument("--json", action="store_true")
        showing = actions.add_parser("show", help="one, with arguments and traceback")
        showing.add_argument("id", type=UUID)
        showing.add_argument("--json", action="store_true")
        for name, text in (("retry", "run again, with all attempts"), ("discard", "give up for good")):
            closing = actions.add_parser(name, help=text)
            closing.add_argument("id", type=UUID, nargs="*")
            closing.add_argument("--all", action="store_true", help="every one that failed")
            closing.add_argument("--task", help="with --all: only those of this function")
            closing.add_argument(
                "--by", default="", help="who does it, for the audit trail; default: the system's user"
            )
            closing.add_argument("--note", default="", help="why, for the audit trail")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it; a fault is one sentence and exit status 1, or 3 for what is not there."""
        with faults_as_errors():
            getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        states = options["state"] or [TaskRow.State.FAILED]
        rows = operations.listed(states=states, task=options["task"], limit=options["limit"])
        if options["json"]:
            self.stdout.write(json.dumps([_facts(row) for row in rows]))
            return
        for row in rows:
            reason = row.reason.partition("\n")[0]
            self.stdout.write(f"{row.id}  {row.state}  {row.task}  {row.queue}  {row.attempts}  {reason}".rstrip())
        if not rows:
            self.stdout.write("no such tasks" if options["state"] else "no failed tasks")

    def _show(self, options: dict[str, Any]) -> None:
        row = operations.show(options["id"])
        facts = _facts(row) | {"arguments": json.loads(row.arguments), "result": row.result, "traceback": row.traceback}
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            self.stdout.write(f"{name}: {value}")

    def _retry(self, options: dict[str, Any]) -> None:
        number = self._close(options, operations.retry, operations.retry_all)
        self.stdout.write(f"{number} ready")

    def _discard(self, options: dict[str, Any]) -> None:
        number = self._close(options, operations.discard, operations.discard_all)
        self.stdout.write(f"{number} discarded")

    def _close(self, options: dict[str, Any], named: Callable[..., int], every: Callable[..., int]) -> int:
        if bool(options["id"]) == options["all"]:
            raise Error("name the tasks by id, or say --all")
        if options["task"] and not options["all"]:
            raise Error("--task goes with --all")
        trail = {name: options[name] for name in ("by", "note")}
        return every(task=options["task"], **trail) if options["all"] else named(options["id"], **trail)


def _facts(row: TaskRow) -> dict[str, Any]:
    moments = {name: getattr(row, name) for name in ("enqueued_at", "next_at", "attempted_at", "finished_at")}
    return {
        "id": str(row.id),
        "task": row.task,
        "queue": row.queue,
        "priority": row.priority,
        "state": row.state,
        "attempts": row.attempts,
        "reason": row.reason,
        "correlation_id": row.correlation_id,
        **{name: rfc3339(moment) if moment else None for name, moment in moments.items()},
    }
