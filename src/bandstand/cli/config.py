"""`bandstand config`."""

import json

import click

from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say, table
from bandstand.cli.services import chosen_services, inspect_services

__all__ = ["command"]


@click.group("config")
def command() -> None:
    """Show the configuration of a service, secrets masked."""


@command.command("show")
@click.argument("service")
@fleet_options
@json_option
def show(selection: Selection, service: str, as_json: bool) -> None:
    """Show every setting of SERVICE as the fleet sets it: value, where it comes from, what it is for."""
    done = inspect_services(selection, chosen_services(selection.fleet, service), "config")[0]
    found = json.loads(done.output)
    if as_json:
        print_json(found)
        return
    columns = ("variable", "value", "source", "text")
    say(table([column.upper() for column in columns], [[entry[column] for column in columns] for entry in found]))
