"""`bandstand chaos`."""

import json

import click

from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say
from bandstand.cli.services import chosen_services, inspect_services

__all__ = ["command"]


@click.group("chaos")
def command() -> None:
    """Break things on purpose."""


@command.command("points")
@fleet_options
@json_option
def points(selection: Selection, as_json: bool) -> None:
    """List the crash points: BANDSTAND_CRASH_AT=POINT[#HIT] kills a process there, once."""
    done = inspect_services(selection, chosen_services(selection.fleet, None), "points")
    found = {each.service: json.loads(each.output) for each in done}
    if as_json:
        print_json(found)
        return
    for point in sorted({point for listed in found.values() for point in listed}):
        services = [name for name, listed in found.items() if point in listed]
        say(f"{point:60} {', '.join(services) if len(services) < len(found) else 'every service'}")
