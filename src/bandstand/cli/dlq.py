"""`bandstand dlq`."""

import json

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say, table
from bandstand.cli.services import chosen_services, manage, manage_one

__all__ = ["command"]


@click.group("dlq")
def command() -> None:
    """List, show, replay or discard dead letters: events that a consumer could not apply."""


@command.command("list")
@click.argument("service", required=False)
@fleet_options
@json_option
@click.option("--all", "everything", is_flag=True, help="Those replayed and discarded as well.")
def listing(selection: Selection, service: str | None, as_json: bool, everything: bool) -> None:
    """List the dead letters of SERVICE, or of all services."""
    services = chosen_services(selection.fleet, service)
    found = []
    for done in manage(selection, services, "deadletters", "list", "--json", *(["--all"] if everything else [])):
        if done.status:
            raise Failure(f"{done.service}: {done.errors.strip()}", Exit.FAILED)
        found += [{"service": done.service, **letter} for letter in json.loads(done.output)]
    if as_json:
        print_json(found)
        return
    columns = ("service", "id", "state", "consumer", "type", "attempts", "reason")
    rows = [[letter[column] for column in columns] for letter in found]
    say(table([column.upper() for column in columns], rows) if found else "no dead letters")


@command.command("show")
@click.argument("service")
@click.argument("letter")
@fleet_options
@json_option
def show(selection: Selection, service: str, letter: str, as_json: bool) -> None:
    """Show one dead letter of SERVICE with its event and traceback."""
    words = ["deadletters", "show", letter, *(["--json"] if as_json else [])]
    say(manage_one(selection, *chosen_services(selection.fleet, service), *words).output.rstrip())


@command.command("replay")
@click.argument("service")
@click.argument("letters", nargs=-1)
@fleet_options
@click.option("--all", "everything", is_flag=True, help="Every open one of the service.")
def replay(selection: Selection, service: str, letters: tuple[str, ...], everything: bool) -> None:
    """Hand dead letters of SERVICE to their consumer again."""
    _close(selection, service, "replay", letters, everything)


@command.command("discard")
@click.argument("service")
@click.argument("letters", nargs=-1)
@fleet_options
@click.option("--all", "everything", is_flag=True, help="Every open one of the service.")
def discard(selection: Selection, service: str, letters: tuple[str, ...], everything: bool) -> None:
    """Give dead letters of SERVICE up; they stay visible with `dlq list --all`."""
    _close(selection, service, "discard", letters, everything)


def _close(selection: Selection, service: str, action: str, letters: tuple[str, ...], everything: bool) -> None:
    if bool(letters) == everything:
        raise click.UsageError("Name the dead letters by id, or say --all.")
    words = ["deadletters", action, *letters, *(["--all"] if everything else [])]
    say(manage_one(selection, *chosen_services(selection.fleet, service), *words).output.rstrip())
