"""`manage.py replay`: hand history to consumers once more, or build their read model from zero."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bandstand.config import section
from bandstand.events import replaying
from bandstand.events.config import EventsConfig
from bandstand.events.operations.options import moment
from bandstand.events.operations.output import Error, faults_as_errors


class Command(BaseCommand):
    """Replay what the bus, or the event store, still has."""

    help = "Hand the history of events to consumers once more. Meanwhile this service reads no new events."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("consumer", nargs="*", help="by name; each event is applied once, as ever")
        parser.add_argument("--since", type=moment, help="leave out events that happened before this moment")
        doing = parser.add_mutually_exclusive_group()
        doing.add_argument("--rebuild", action="store_true", help="empty the consumer's read model first")
        doing.add_argument("--go-on", action="store_true", help="go on with a replay whose process died")
        doing.add_argument("--abort", action="store_true", help="give it up; the service reads on")
        parser.add_argument("--yes", action="store_true", help="rebuild without asking")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it, telling how far it is."""
        with faults_as_errors():
            if options["abort"]:
                replaying.abort()
                self.stdout.write("given up; the service reads on")
                return
            if not options["go_on"]:
                self._begin(options)
            done = replaying.run(lambda progress: self.stdout.write(f"{progress.read} read, {progress.left} left"))
            self.stdout.write(f"replayed; {done.read} events were read")

    def _begin(self, options: dict[str, Any]) -> None:
        names = options["consumer"]
        if options["rebuild"]:
            if len(names) != 1 or options["since"]:
                raise Error("--rebuild takes one consumer, and all of the history")
            self._confirm(names[0], asking=not options["yes"])
            replaying.begin_rebuild(names[0])
            return
        if not names:
            raise Error("name the consumers that are to get the history")
        noted = replaying.begin(names, since=options["since"])
        if noted.since:
            self.stdout.write(f"events before {noted.since:%Y-%m-%d %H:%M:%S%z} are left out")

    def _confirm(self, name: str, *, asking: bool) -> None:
        whole = ", ".join(each.id for each in replaying.read_model(name))
        config = section(EventsConfig)
        source, retention = (
            ("event store", config.store_retention) if config.event_store else ("bus", config.bus_retention)
        )
        self.stdout.write(
            f"{whole}: emptied, then built from what the {source} still has (it may drop after {retention})"
        )
        if not asking:
            return
        if not sys.stdin.isatty():
            raise Error("say --yes; nobody can be asked without a terminal")
        if input("Go on? [y/N] ").strip().lower() != "y":
            raise Error("nothing was done")
