"""`manage.py choreographies list|show|draw|dismiss`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bandstand.events.operations.options import positive
from bandstand.events.operations.output import as_json, faults_as_errors, table
from bandstand.sagas.choreography import operations
from bandstand.sagas.choreography.declaration import choreographies
from bandstand.sagas.choreography.drawing import as_mermaid, as_text
from bandstand.sagas.choreography.expectation import State
from bandstand.sagas.choreography.models import ChoreographyWatch
from bandstand.sagas.choreography.showing import facts, marked

_HEAD = ("state", "name", "key", "waiting for", "due", "note")


class Command(BaseCommand):
    """Look at choreographies and their journeys."""

    help = "List the journeys that have not completed, show one, draw the declarations, dismiss what was dealt with."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="journeys that have not completed, those that moved last first")
        listing.add_argument("--state", action="append", choices=[state.value for state in State])
        listing.add_argument("--name", help="only those of this choreography")
        listing.add_argument("--limit", type=positive, default=100, help="how many at most")
        listing.add_argument("--json", action="store_true")
        showing = actions.add_parser("show", help="one, with what was seen of it")
        showing.add_argument("key")
        showing.add_argument("--json", action="store_true")
        drawing = actions.add_parser("draw", help="what a choreography expects; all of them where none is named")
        drawing.add_argument("name", nargs="?")
        drawing.add_argument("--mermaid", action="store_true", help="as a flowchart")
        drawing.add_argument("--json", action="store_true")
        closing = actions.add_parser("dismiss", help="count one that stalled or deviated as dealt with")
        closing.add_argument("name")
        closing.add_argument("key")
        closing.add_argument("--by", default="", help="who does it, for the audit trail; default: the system's user")
        closing.add_argument("--note", default="", help="why, for the audit trail")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it; a fault is one sentence and exit status 1, or 3 for what is not there."""
        with faults_as_errors():
            getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        states = [State(each) for each in options["state"] or operations.OPEN]
        rows = operations.find(states=states, name=options["name"], limit=options["limit"])
        if options["json"]:
            self.stdout.write(as_json([facts(row) for row in rows]))
        else:
            self.stdout.write(table(_HEAD, map(_line, rows)) if rows else "no such journeys")

    def _show(self, options: dict[str, Any]) -> None:
        rows = operations.journeys(options["key"])
        if options["json"]:
            self.stdout.write(as_json([facts(row) for row in rows]))
            return
        for row in rows:
            told = f"{row.state}: {row.note}" if row.note else row.state
            known = choreographies.get(row.name)
            story = marked(known, row) if known else f"{row.name}, which is no longer declared: {row.seen}"
            self.stdout.write(f"{row.key} {told}\n{story}")

    def _draw(self, options: dict[str, Any]) -> None:
        draw = as_mermaid if options["mermaid"] else as_text
        drawn = {each.name: draw(each) for each in operations.declared(options["name"])}
        told = as_json(drawn) if options["json"] else "\n\n".join(drawn.values())
        self.stdout.write(told or "this service declares no choreography")

    def _dismiss(self, options: dict[str, Any]) -> None:
        operations.dismiss(options["name"], options["key"], by=options["by"], note=options["note"])
        self.stdout.write(f"{options['key']} is dismissed")


def _line(row: ChoreographyWatch) -> tuple[Any, ...]:
    told = facts(row)
    return row.state, row.name, row.key, row.waiting_for or None, told["due_at"], row.note or None
