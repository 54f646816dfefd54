"""`manage.py replicas list|verify|backfill|rebuild`."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bandstand import clock
from bandstand.clock import rfc3339
from bandstand.config import section
from bandstand.events import replaying
from bandstand.events.config import EventsConfig
from bandstand.events.operations.output import Error, as_json, duration, faults_as_errors, table
from bandstand.replicas import operations
from bandstand.replicas.operations import Report


class Command(BaseCommand):
    """Look at replicas, fill them and build them again."""

    help = "List the replicas of this service, compare one with its owner, fill it, or build it again from history."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="how each one stands").add_argument("--json", action="store_true")
        verifying = actions.add_parser("verify", help="compare one with what its owner shows; 1 where it differs")
        verifying.add_argument("name")
        verifying.add_argument("--json", action="store_true")
        filling = actions.add_parser("backfill", help="write the rows that were there before the replica was")
        filling.add_argument("name")
        filling.add_argument(
            "--from", dest="way", choices=["owner", "history"], help="default: the owner, if it can be"
        )
        building = actions.add_parser("rebuild", help="empty one, then build it from the history of the bus")
        building.add_argument("name")
        building.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it; a fault is one sentence and exit status 1."""
        with faults_as_errors():
            getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        found = operations.reports()
        if options["json"]:
            self.stdout.write(as_json([_facts(each) for each in found]))
            return
        now = clock.database_now(section(EventsConfig).database)
        head = ("replica", "rows", "tombstones", "last change", "lag", "waiting", "dead")
        self.stdout.write(table(head, [_line(each, now) for each in found]) if found else "this service has no replica")

    def _verify(self, options: dict[str, Any]) -> None:
        found = operations.verify(operations.named(options["name"]))
        facts = asdict(found)
        told = as_json(facts) if options["json"] else ", ".join(f"{number} {name}" for name, number in facts.items())
        self.stdout.write(told)
        if not found.is_equal:
            raise Error("the replica differs from what its owner shows; events under way may be the reason")

    def _backfill(self, options: dict[str, Any]) -> None:
        declared = operations.named(options["name"])
        if (options["way"] or operations.way_of(declared)) == "owner":
            self.stdout.write(f"{operations.fill_from_owner(declared)} rows were written as their owner shows them")
            return
        operations.begin_backfill(declared)
        self._replay()

    def _rebuild(self, options: dict[str, Any]) -> None:
        declared = operations.named(options["name"])
        retention = section(EventsConfig).bus_retention
        self.stdout.write(f"{declared.name}: emptied, then built from what the bus still has (at least {retention})")
        if not options["yes"] and input("Go on? [y/N] ").strip().lower() != "y":
            raise Error("nothing was done")
        operations.begin_rebuild(declared)
        self._replay()

    def _replay(self) -> None:
        done = replaying.run(lambda progress: self.stdout.write(f"{progress.read} read, {progress.left} left"))
        self.stdout.write(f"replayed; {done.read} events were read")


def _facts(report: Report) -> dict[str, Any]:
    return {**asdict(report), "applied_at": rfc3339(report.applied_at) if report.applied_at else None}


def _line(report: Report, now: Any) -> tuple[Any, ...]:
    ago = f"{duration((now - report.applied_at).total_seconds())} ago" if report.applied_at else None
    return report.name, report.rows, report.tombstones, ago, report.lag, report.waiting, report.dead
