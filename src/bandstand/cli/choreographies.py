"""`bandstand choreographies`."""

import json
from typing import Any

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.operations import exit_of, option_words, said_no
from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say, table
from bandstand.cli.services import Done, chosen_services, manage

__all__ = ["command"]

_STATES = ["watching", "stalled", "deviated", "completed", "dismissed"]
_COLUMNS = ("service", "state", "name", "key", "due_at", "note")
_UNKNOWN = "Unknown command"  # what Django says of a service that watches nothing
_EPILOG = """\b
Examples:
  bandstand choreographies list --state stalled      what stands still, in all services
  bandstand choreographies show 019b76da-a800-7000-8000-0000000000aa
  bandstand choreographies draw orders --mermaid"""


@click.group("choreographies", epilog=_EPILOG)
def command() -> None:
    """List, show or draw journeys made of events: what was seen of them, and what they wait for."""


@command.command("list")
@click.argument("service", required=False)
@fleet_options
@json_option
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="In this state; may be repeated.")
@click.option("--name", metavar="NAME", help="Only those of this choreography.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many of each service.")
def listing(selection: Selection, service: str | None, as_json: bool, states: tuple[str, ...], **options: Any) -> None:
    """List the journeys that have not completed, of SERVICE or of all, those that moved last first."""
    words = ["list", "--json", *option_words({"state": states, **options})]
    answers = _answers(selection, service, *words)
    found = [{"service": name, **journey} for name, told in answers.items() for journey in json.loads(told)]
    if as_json:
        print_json(found)
        return
    rows = [[str(journey[column] or "-") for column in _COLUMNS] for journey in found]
    say(table([column.upper() for column in _COLUMNS], rows) if found else "no such journeys")


@command.command("show")
@click.argument("key")
@fleet_options
@json_option
def show(selection: Selection, key: str, as_json: bool) -> None:
    """Show the journey KEY with what was seen of it, in whichever service watches it."""
    answers = _answers(selection, None, "show", key, *(["--json"] if as_json else []), may_lack=True)
    if not answers:
        raise Failure(f"no service watches a journey {key!r}", Exit.NOT_FOUND)
    if as_json:
        print_json([{"service": name, **each} for name, told in answers.items() for each in json.loads(told)])
        return
    for name, told in answers.items():
        say(f"{name}: {told.rstrip()}")


@command.command("draw")
@click.argument("service", required=False)
@fleet_options
@click.option("--mermaid", is_flag=True, help="As a flowchart.")
def draw(selection: Selection, service: str | None, mermaid: bool) -> None:
    """Draw what the choreographies of SERVICE, or of all services, expect."""
    answers = _answers(selection, service, "draw", "--json", *option_words({"mermaid": mermaid}))
    drawn = [drawing for told in answers.values() for drawing in json.loads(told).values()]
    say("\n\n".join(drawn) if drawn else "no choreography is declared")


def _answers(selection: Selection, service: str | None, *words: str, may_lack: bool = False) -> dict[str, str]:
    """What each service answers, without those that watch nothing; with *may_lack* without those that have it not."""
    found = {}
    for done in manage(selection, chosen_services(selection.fleet, service), "choreographies", *words):
        if _watches_nothing(done) and service is None:
            continue
        if _watches_nothing(done):
            raise Failure(f"{done.service} watches no journeys: see bandstand.sagas.choreography", Exit.NOT_FOUND)
        if done.status and not (may_lack and done.status == Exit.NOT_FOUND):
            raise Failure(f"{done.service}: {said_no(done.errors)}", exit_of(done))
        if not done.status:
            found[done.service] = done.output
    return found


def _watches_nothing(done: Done) -> bool:
    return bool(done.status) and _UNKNOWN in done.errors
