"""`manage.py events tail|publish|lag|outbox|inbox|pause|resume|revive|forget|types`."""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.management.color import supports_color

from bandstand.config import environment, identity
from bandstand.events import pausing, registry, relay
from bandstand.events.operations.by_hand import checked_event, forget_group, publish_by_hand
from bandstand.events.operations.changes import given_data
from bandstand.events.operations.counting import inbox_counts, lags, outbox_counts
from bandstand.events.operations.lines import Lines
from bandstand.events.operations.options import add_deed, moment, positive
from bandstand.events.operations.output import Error, as_json, duration, faults_as_errors, table
from bandstand.events.operations.rows import outbox_rows, waiting_rows
from bandstand.events.operations.tailing import watch


class Command(BaseCommand):
    """Look at the events of this service and act on them."""

    help = "Show events as they pass, publish one by hand, and say how far behind bus, outbox and inbox are."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True)
        _add_tail(actions.add_parser("tail", help="events as they pass on the bus"))
        publishing = actions.add_parser("publish", help="publish an event of this service through its outbox")
        publishing.add_argument("type")
        publishing.add_argument("--payload", required=True, help="a JSON object; - reads it from standard input")
        publishing.add_argument("--subject", default="", help="the id that the event is about, unless the data has it")
        add_deed(publishing)
        lag = actions.add_parser(
            "lag", help="every consumer group: what it has not acknowledged, what waits, what died"
        )
        lag.add_argument("--json", action="store_true")
        _add_listing(
            actions.add_parser("outbox", help="what the bus has not accepted"), ["pending", "dead", "delivered"]
        )
        inbox = actions.add_parser("inbox", help="what consumers have applied and what waits for a retry")
        inbox.add_argument("--consumer", default="")
        _add_listing(inbox, [])
        reviving = actions.add_parser("revive", help="let the relay try again what the bus refused for good")
        forgetting = actions.add_parser("forget", help="let the bus drop what only this retired group still holds")
        forgetting.add_argument("group")
        halting = actions.add_parser("pause", help="apply nothing more for this consumer, or for all of this group")
        resuming = actions.add_parser("resume", help="let a paused consumer or group go on where it was")
        for deed in (halting, resuming):
            deed.add_argument("consumer", help="a consumer's name or id, or the name of a group")
        for deed in (reviving, forgetting, halting, resuming):
            deed.add_argument("--by", default="")
            deed.add_argument("--note", default="")
            deed.add_argument("--json", action="store_true")
        types = actions.add_parser("types", help="the event types that this service publishes or consumes")
        types.add_argument("--json", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do it; a fault is one sentence and exit status 1, or 3 for what is not there."""
        with faults_as_errors():
            getattr(self, f"_{options['action']}")(options)

    def _tail(self, options: dict[str, Any]) -> None:
        types = options["type"] or list(registry.declared())
        if not types:
            raise Error("this service declares no events; name some with --type")
        colours = self.stdout.isatty() and supports_color() and not options["no_color"]
        lines = Lines(types, colours=colours and not environment().get("NO_COLOR"))
        follow = options["follow"] or options["since"] is None
        with (
            _ending_on_sigterm(),
            suppress(KeyboardInterrupt, BrokenPipeError),
            closing(watch(types, since=options["since"], follow=follow)) as passing,
        ):
            left = options["limit"]
            for message in passing:
                if options["subject"] and message.subject != options["subject"]:
                    continue
                self.stdout.write(message.body if options["json"] else lines.line(message))
                self.stdout.flush()
                left -= 1
                if left == 0:
                    break

    def _publish(self, options: dict[str, Any]) -> None:
        event = checked_event(options["type"], given_data(options["payload"]), subject=options["subject"])
        if options["dry_run"]:
            said = {"dry_run": True, "type": event.event_name, "data": event.encoded().decode()}
            self._done(said, f"{said['data']} would be published", options)
            return
        event_id = publish_by_hand(event, by=options["by"], note=options["note"])
        self._done({"event_id": str(event_id), "type": event.event_name}, f"{event_id} is in the outbox", options)

    def _lag(self, options: dict[str, Any]) -> None:
        self._counted(lags(), ("group", "lag", "waiting", "dead", "paused"), options, nothing="there are no groups")

    def _outbox(self, options: dict[str, Any]) -> None:
        if options["rows"] or options["state"] != "pending" or options["type"] or options["subject"]:
            names = ("type", "subject", "state", "limit")
            self._listed(outbox_rows(**{name: options[name] for name in names}), options)
            return
        columns = ("type", "pending", "retrying", "dead")
        counts = outbox_counts()
        self._counted(counts, columns, options, nothing="the outbox is empty: the bus has accepted everything")
        if any(each.dead for each in counts) and not options["json"]:
            self.stdout.write(
                "`events outbox --state dead` says why they were refused; `events revive` tries them again."
            )

    def _inbox(self, options: dict[str, Any]) -> None:
        if options["rows"] or options["type"] or options["subject"]:
            names = ("type", "subject", "consumer", "limit")
            self._listed(waiting_rows(**{name: options[name] for name in names}), options)
            return
        counts = [each for each in inbox_counts() if options["consumer"] in ("", each.consumer)]
        columns = ("consumer", "type", "applied", "waiting", "dead", "paused")
        self._counted(counts, columns, options, nothing=f"{identity().name} has no such consumer")

    def _revive(self, options: dict[str, Any]) -> None:
        revived = relay.revive(by=options["by"], note=options["note"])
        self._done({"revived": revived}, f"{revived} revived", options)

    def _forget(self, options: dict[str, Any]) -> None:
        group = options["group"]
        forget_group(group, by=options["by"], note=options["note"])
        self._done({"forgotten": group}, f"{group} is forgotten", options)

    def _pause(self, options: dict[str, Any]) -> None:
        name = options["consumer"]
        is_new = pausing.pause(name, by=options["by"], note=options["note"])
        words = "is paused" if is_new else "was paused already"
        self._done({"consumer": name, "paused": True, "changed": is_new}, f"{name} {words}", options)

    def _resume(self, options: dict[str, Any]) -> None:
        name = options["consumer"]
        was_paused = pausing.resume(name, by=options["by"], note=options["note"])
        words = "goes on" if was_paused else "was not paused"
        self._done({"consumer": name, "paused": False, "changed": was_paused}, f"{name} {words}", options)

    def _done(self, said: dict[str, Any], sentence: str, options: dict[str, Any]) -> None:
        self.stdout.write(as_json(said) if options["json"] else sentence)

    def _types(self, options: dict[str, Any]) -> None:
        types = sorted(registry.declared())
        self.stdout.write(as_json(types) if options["json"] else "\n".join(types))

    def _counted(self, counts: list[Any], columns: tuple[str, ...], options: dict[str, Any], *, nothing: str) -> None:
        if options["json"]:
            self.stdout.write(as_json([asdict(each) for each in counts]))
        elif not counts:
            self.stdout.write(nothing)
        else:
            ages = [None if each.oldest_seconds is None else duration(each.oldest_seconds) for each in counts]
            rows = [
                [*(_word(getattr(each, column)) for column in columns), age]
                for each, age in zip(counts, ages, strict=True)
            ]
            self.stdout.write(table([*(column.upper() for column in columns), "OLDEST"], rows))

    def _listed(self, rows: list[dict[str, Any]], options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(as_json(rows))
        elif rows:
            self.stdout.write(table([name.upper() for name in rows[0]], [list(row.values()) for row in rows]))
        else:
            self.stdout.write("there are no such rows")


def _word(value: Any) -> Any:
    return {True: "yes", False: None}[value] if isinstance(value, bool) else value


def _add_tail(parser: CommandParser) -> None:
    parser.add_argument("--type", action="append", default=[], help="only this type; may be repeated")
    parser.add_argument("--subject", default="", help="only events about this")
    parser.add_argument("--since", type=moment, metavar="MOMENT", help="show what was published since: 10m, 2h, …")
    parser.add_argument("--follow", action="store_true", help="with --since: go on with what comes")
    parser.add_argument("--limit", type=positive, default=0, help="end after so many events")
    parser.add_argument("--json", action="store_true", help="one envelope per line")


def _add_listing(parser: CommandParser, states: list[str]) -> None:
    parser.add_argument("--rows", action="store_true", help="single rows instead of numbers; any filter implies it")
    parser.add_argument("--type", default="")
    parser.add_argument("--subject", default="")
    parser.add_argument("--limit", type=positive, default=50, help="how many rows at most")
    if states:
        parser.add_argument("--state", default=states[0], choices=states)
    parser.add_argument("--json", action="store_true")


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the wait as Ctrl-C does, so that the bus is left properly; another's handler comes back."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
