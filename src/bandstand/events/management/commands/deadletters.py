"""`manage.py deadletters list|show|replay|edit|discard`."""

import sys
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from bandstand.errors import ValidationFailed
from bandstand.events import dead_letters
from bandstand.events.dead_letters import Edit, Filter
from bandstand.events.models import DeadLetter
from bandstand.events.operations.changes import assigned, given_data, in_editor
from bandstand.events.operations.letters import facts, report, summary
from bandstand.events.operations.options import add_deed, add_filters, filter_of, positive
from bandstand.events.operations.output import Error, as_json, faults_as_errors

_SHOWN = 20


class Command(BaseCommand):
    """Deal with events that consumers gave up on."""

    help = "List, show, replay, edit or discard dead letters."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="those nobody has dealt with, oldest first")
        add_filters(listing)
        listing.add_argument("--state", default="dead", choices=[*DeadLetter.State.values, "any"])
        listing.add_argument("--limit", type=positive, default=100, help="how many at most")
        listing.add_argument("--json", action="store_true")
        showing = actions.add_parser("show", help="one, with envelope, traceback and what was done with it")
        showing.add_argument("id", type=UUID)
        showing.add_argument("--json", action="store_true")
        for name, text in (("replay", "hand to the consumer once more"), ("discard", "close without applying")):
            closing = actions.add_parser(name, help=text)
            add_filters(closing)
            closing.add_argument("--all", action="store_true", help="every open one")
            add_deed(closing)
        editing = actions.add_parser("edit", help="change the data of an event before replaying it; opens $EDITOR")
        editing.add_argument("id", type=UUID)
        editing.add_argument("--payload", help="the new data, a JSON object; - reads it from standard input")
        editing.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change one field")
        add_deed(editing)

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it; a fault is one sentence and exit status 1, or 3 for what is not there."""
        with faults_as_errors():
            getattr(self, f"_{options['action']}")(options)

    def _list(self, options: dict[str, Any]) -> None:
        which = filter_of(options)
        letters = dead_letters.listed(which, limit=options["limit"])
        if options["json"]:
            self.stdout.write(as_json([facts(letter) for letter in letters]))
            return
        self.stdout.write(summary(letters) if letters else "no dead letters")
        self._and_more(which, len(letters))

    def _show(self, options: dict[str, Any]) -> None:
        letter = dead_letters.show(options["id"])
        found = report(letter)
        if options["json"]:
            self.stdout.write(as_json(found))
            return
        trail = found.pop("actions")
        traceback = found.pop("traceback")
        width = max(map(len, found))
        for name, value in found.items():
            self.stdout.write(f"{name:{width}}  {as_json(value) if isinstance(value, dict) else value}")
        for each in trail:
            self.stdout.write(f"{each['at']}  {each['action']} by {each['actor']}  {each['note']}".rstrip())
        self.stdout.write(f"\n{traceback}")

    def _replay(self, options: dict[str, Any]) -> None:
        self._close(options, "replayed", named=dead_letters.replay, matching=dead_letters.replay_all)

    def _discard(self, options: dict[str, Any]) -> None:
        self._close(options, "discarded", named=dead_letters.discard, matching=dead_letters.discard_all)

    def _close(self, options: dict[str, Any], done: str, *, named: Any, matching: Any) -> None:
        which = filter_of(options)
        if bool(which.ids) == (options["all"] or which.restricts):
            raise Error("name the dead letters by id, choose them by a filter such as --consumer, or say --all")
        if options["dry_run"]:
            self._would(which, done, for_machines=options["json"])
            return
        deed = {"by": options["by"], "note": options["note"]}
        if which.ids:
            number = named(which.ids, **deed)
        else:
            number = matching(which, progress=self._progress(which, done), **deed)
            self.stderr.write("", ending="\n" if self.stderr.isatty() else "")
        self.stdout.write(as_json({done: number}) if options["json"] else f"{number} {done}")

    def _would(self, which: Filter, done: str, *, for_machines: bool) -> None:
        for letter_id in which.ids:
            dead_letters.open_letter(letter_id)
        letters = dead_letters.listed(which, limit=_SHOWN)
        number = dead_letters.count(which)
        if for_machines:
            self.stdout.write(as_json({f"would_be_{done}": number}))
            return
        if letters:
            self.stdout.write(summary(letters))
        self._and_more(which, len(letters))
        self.stdout.write(f"{number} would be {done}; nothing was changed")

    def _and_more(self, which: Filter, shown: int) -> None:
        more = dead_letters.count(which) - shown
        if more > 0:
            self.stdout.write(f"… and {more} more")

    def _progress(self, which: Filter, done: str) -> Any:
        if not self.stderr.isatty():
            return None
        total = dead_letters.count(which)
        return lambda number: self.stderr.write(f"\r{number} of {total} {done}", ending="", style_func=str)

    def _edit(self, options: dict[str, Any]) -> None:
        if options["payload"] is not None and options["set"]:
            raise Error("say either --payload or --set")
        if options["payload"] is not None:
            self._change(given_data(options["payload"]), options)
        elif options["set"]:
            self._change(assigned(options["set"]), options)
        elif sys.stdin.isatty():
            self._ask(options)
        else:
            raise Error("say --payload or --set; the editor needs a terminal")

    def _ask(self, options: dict[str, Any]) -> None:
        """Let a person edit until it fits or they give up; what they typed is never lost."""
        import click  # noqa: PLC0415 - only here is a person asked for anything

        data = dead_letters.event_data(options["id"])
        while (changed := in_editor(data)) is not None:
            data = changed
            try:
                self._change(data, options)
            except ValidationFailed as error:
                self.stderr.write(error.message)
                if click.confirm("Edit it again?", default=True, err=True):
                    continue
            return
        self.stdout.write("nothing was changed")

    def _change(self, change: Any, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            done = dead_letters.preview(options["id"], change)
        else:
            done = dead_letters.edit(options["id"], change, by=options["by"], note=options["note"])
        self._report(done, options)

    def _report(self, done: Edit, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(as_json({"dry_run": options["dry_run"], "diff": done.diff(), **facts(done.letter)}))
            return
        for line in done.diff().splitlines():
            paint = {"+": self.style.SUCCESS, "-": self.style.ERROR}.get(line[0], str)
            self.stdout.write(paint(line))
        self.stdout.write("nothing was changed" if options["dry_run"] else "edited; replay it to have it applied")
