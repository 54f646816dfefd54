"""`manage.py deadletters list|show|replay|discard|mend|revive`."""

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bandstand.clock import rfc3339
from bandstand.config import section
from bandstand.errors import ServiceError
from bandstand.events import dead_letters, relay
from bandstand.events.config import EventsConfig
from bandstand.events.models import DeadLetter


class Command(BaseCommand):
    """Deal with events that consumers gave up on."""

    help = "List, show, replay, discard or mend dead letters; revive what the bus refused."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="those nobody has dealt with, oldest first")
        listing.add_argument("--all", action="store_true", help="those replayed and discarded as well")
        listing.add_argument("--consumer")
        listing.add_argument("--limit", type=int, default=100)
        listing.add_argument("--json", action="store_true")
        showing = actions.add_parser("show", help="one, with envelope and traceback")
        showing.add_argument("id", type=UUID)
        showing.add_argument("--json", action="store_true")
        for name, text in (("replay", "hand to the consumer once more"), ("discard", "close without applying")):
            closing = actions.add_parser(name, help=text)
            closing.add_argument("id", type=UUID, nargs="*")
            closing.add_argument("--all", action="store_true", help="every open one")
            closing.add_argument("--consumer", help="with --all: only those of this consumer")
        mending = actions.add_parser("mend", help="replace the data of an event before replaying it")
        mending.add_argument("id", type=UUID)
        mending.add_argument("--data", required=True, help="a JSON object")
        actions.add_parser("revive", help="let the relay try again what the bus refused for good")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it; a fault is one sentence and exit status 1."""
        try:
            getattr(self, f"_{options['action']}")(options)
        except ServiceError as error:
            raise CommandError(error.message) from error

    def _list(self, options: dict[str, Any]) -> None:
        state = None if options["all"] else DeadLetter.State.DEAD
        letters = dead_letters.listed(state=state, consumer=options["consumer"], limit=options["limit"])
        if options["json"]:
            self.stdout.write(json.dumps([_facts(letter) for letter in letters]))
            return
        for letter in letters:
            line = f"{letter.id}  {letter.state}  {letter.consumer}  {letter.type}  {letter.subject}  {letter.reason}"
            self.stdout.write(line)
        if not letters:
            self.stdout.write("no dead letters")

    def _show(self, options: dict[str, Any]) -> None:
        letter = dead_letters.show(options["id"])
        facts = _facts(letter) | {"envelope": _parsed(letter.envelope), "traceback": letter.traceback}
        if options["json"]:
            self.stdout.write(json.dumps(facts))
            return
        for name, value in facts.items():
            self.stdout.write(f"{name}: {value}")

    def _replay(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{dead_letters.replay(self._chosen(options))} replayed")

    def _discard(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{dead_letters.discard(self._chosen(options))} discarded")

    def _mend(self, options: dict[str, Any]) -> None:
        dead_letters.mend(options["id"], options["data"].encode())
        self.stdout.write("mended")

    def _revive(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{relay.revive(using=section(EventsConfig).database)} revived")

    def _chosen(self, options: dict[str, Any]) -> list[UUID]:
        if bool(options["id"]) == options["all"]:
            raise CommandError("name the dead letters by id, or say --all")
        if not options["all"]:
            ids: list[UUID] = options["id"]
            return ids
        return [letter.id for letter in dead_letters.listed(consumer=options["consumer"], limit=10_000)]


def _facts(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": str(letter.id),
        "consumer": letter.consumer,
        "event_id": str(letter.event_id),
        "type": letter.type,
        "subject": letter.subject,
        "attempts": letter.attempts,
        "reason": letter.reason,
        "state": letter.state,
        "first_failed_at": rfc3339(letter.first_failed_at),
        "died_at": rfc3339(letter.died_at),
    }


def _parsed(envelope: str) -> Any:
    try:
        return json.loads(envelope)
    except ValueError:
        return envelope
