"""`manage.py sagas list|show|retry|skip|resolve|cancel|compensate|approve|reject|annotate|confirm|reconcile|purge`."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bandstand import clock
from bandstand.config import operating_system_user
from bandstand.events.operations.output import as_json, faults_as_errors, table
from bandstand.events.operations.words import moment, positive
from bandstand.sagas import operations
from bandstand.sagas.operations.actions import OUTCOMES, Action, Deed, Told
from bandstand.sagas.operations.finding import ANY, Wanted
from bandstand.sagas.protocol import SagaStatus
from bandstand.sagas.reconciling import reconcile
from bandstand.sagas.registry import sagas

_HEAD = ("id", "type", "key", "state", "age", "why")
_DEEDS = {
    Action.RETRY: "make the next attempt now",
    Action.SKIP: "go on without a step at hand",
    Action.RESOLVE: "say how a step at hand came out",
    Action.CANCEL: "undo it, unless it has passed its pivot",
    Action.COMPENSATE: "undo it, wherever it is",
    Action.APPROVE: "approve what it waits for",
    Action.REJECT: "reject what it waits for",
    Action.ANNOTATE: "write a note into its history",
}
_STEPPED = (Action.SKIP, Action.RESOLVE, Action.APPROVE, Action.REJECT)


class Command(BaseCommand):
    """Look at sagas and act on them."""

    help = "List sagas and why they wait, show one with its history, act on one, purge what ended long ago."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True)
        _add_listing(actions.add_parser("list", help="those that have not ended, latest first, and why they wait"))
        showing = actions.add_parser("show", help="one, with everything that was tried and said")
        showing.add_argument("saga", help=_SAGA)
        showing.add_argument("--full", action="store_true", help="with all that each step was given and returned")
        showing.add_argument("--json", action="store_true")
        for action, text in _DEEDS.items():
            _add_deed(actions.add_parser(action.value, help=text), action)
        confirming = actions.add_parser("confirm", help="second what another person has proposed")
        confirming.add_argument("saga", help=_SAGA)
        confirming.add_argument("--proposal", type=positive, metavar="NUMBER", help="which, where there are several")
        _add_trail(confirming)
        reconciling = actions.add_parser("reconcile", help="compare what participants hold with the history")
        reconciling.add_argument("--type", help="only sagas of this name")
        reconciling.add_argument("--since-hours", type=positive, default=48)
        reconciling.add_argument("--dry-run", action="store_true", help="report, and undo nothing")
        reconciling.add_argument("--json", action="store_true")
        purging = actions.add_parser("purge", help="delete those that ended long ago, with their history")
        purging.add_argument("--older-than-days", type=positive, default=90)
        purging.add_argument("--archive", type=Path, metavar="FILE", help="first write them there: JSON lines in gzip")
        purging.add_argument("--json", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it; a fault is one sentence and exit status 1, or 3 for what is not there."""
        with faults_as_errors():
            if options["action"] in set(Action):
                self._act(options)
            else:
                getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        wanted = Wanted(
            references=tuple(options["saga"]),
            types=tuple(options["type"] or ()),
            states=tuple(options["state"] or ()),
            key=options["key"],
            step=options["step"],
            before=options["older_than"],
            stuck=options["stuck"],
        )
        known = operations.facts(operations.find(wanted, limit=options["limit"]))
        if options["json"]:
            self.stdout.write(as_json(known))
            return
        rows = [(one["id"], one["type"], one["key"], one["status"], one["age"], one["why"]) for one in known]
        nothing = "every saga has ended" if wanted == Wanted() else "no such sagas"
        self.stdout.write(table(_HEAD, rows) if rows else nothing)
        if len(rows) >= options["limit"]:
            self.stderr.write(f"There may be more: --limit {options['limit']} is reached.")

    def _show(self, options: dict[str, Any]) -> None:
        found = operations.timeline(operations.find_one(options["saga"]).pk)
        if options["json"]:
            self.stdout.write(as_json(operations.described(found)))
            return
        for line in operations.told(found, full=options["full"]):
            self.stdout.write(line)

    def _act(self, options: dict[str, Any]) -> None:
        deed = Deed(
            action=Action(options["action"]),
            by=options["by"] or operating_system_user(),
            note=options["note"],
            step=options.get("step", ""),
            outcome=options.get("outcome", ""),
            force=options.get("force", False),
        )
        self._tell(options, operations.act(operations.find_one(options["saga"]).pk, deed))

    def _confirm(self, options: dict[str, Any]) -> None:
        row = operations.find_one(options["saga"])
        by = options["by"] or operating_system_user()
        self._tell(options, operations.confirm(row.pk, by=by, proposal=options["proposal"]))

    def _reconcile(self, options: dict[str, Any]) -> None:
        since = clock.database_now() - timedelta(hours=options["since_hours"])
        found = [
            finding
            for saga in sagas
            if options["type"] in (None, saga.name)
            for finding in reconcile(saga, since=since, dry_run=options["dry_run"])
        ]
        if options["json"]:
            self.stdout.write(as_json([asdict(finding) for finding in found]))
            return
        for finding in found:
            undone = "is being undone" if finding.undone else "is left as it is"
            self.stdout.write(f"{finding.kind}  {finding.saga} {finding.step}  {finding.key}  {undone}")
        if not found:
            self.stdout.write("participants and history agree")

    def _purge(self, options: dict[str, Any]) -> None:
        kept = timedelta(days=options["older_than_days"])
        deleted = operations.purge(older_than=kept, archive=options["archive"])
        self.stdout.write(as_json({"deleted": deleted}) if options["json"] else f"{deleted} deleted")

    def _tell(self, options: dict[str, Any], told: Told) -> None:
        done = {"id": str(told.saga_id), "signal": told.signal_id, "proposed": told.is_proposed, "says": told.says}
        hint = f": `sagas confirm {told.saga_id} --proposal {told.signal_id}`" if told.is_proposed else ""
        self.stdout.write(as_json(done) if options["json"] else f"{told.saga_id}: {told.says}{hint}")


_SAGA = "its id, the beginning of it, or its business key"


def _add_listing(parser: CommandParser) -> None:
    states = [*(status.value for status in SagaStatus), ANY]
    parser.add_argument("saga", nargs="*", help=f"only these: {_SAGA}")
    parser.add_argument("--state", "--status", action="append", choices=states, help="those in this state instead")
    parser.add_argument("--type", action="append", metavar="NAME", help="only sagas of this type; may be repeated")
    parser.add_argument("--key", default="", help="only the sagas of this business key")
    parser.add_argument("--step", default="", metavar="NAME", help="only those that are at this step")
    parser.add_argument(
        "--older-than", type=moment, metavar="MOMENT", help="begun before: 2h ago, or 2026-05-04T10:00Z"
    )
    parser.add_argument("--stuck", action="store_true", help="only those that a person should look at")
    parser.add_argument("--limit", type=positive, default=50, help="how many at most")
    parser.add_argument("--json", action="store_true")


def _add_deed(parser: CommandParser, action: Action) -> None:
    parser.add_argument("saga", help=_SAGA)
    if action in _STEPPED:
        parser.add_argument(
            "--step", default="", metavar="NAME", help="the step at hand, as `hotel:Rome` within a loop"
        )
    if action is Action.RESOLVE:
        parser.add_argument("--outcome", default="", choices=["", *OUTCOMES])
    if action is Action.COMPENSATE:
        parser.add_argument("--force", action="store_true", help="even if some effects stay")
    parser.add_argument("--note", default="", help="why: it stands in the saga's history")
    _add_trail(parser)


def _add_trail(parser: CommandParser) -> None:
    parser.add_argument("--by", default="", help="who does it; default: the user of the system")
    parser.add_argument("--json", action="store_true")
