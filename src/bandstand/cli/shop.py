"""`bandstand shop`."""

import click

from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.output import mark, say
from bandstand.cli.services import manage_one

__all__ = ["command"]


@click.group("shop")
def command() -> None:
    """Fill the reference shop."""


@command.command("seed")
@fleet_options
def seed(selection: Selection) -> None:
    """Add the demonstration users, catalogue and stock. A second run changes nothing."""
    for name, spec in selection.fleet.services.items():
        if spec.seed:
            done = manage_one(selection, name, "seed")
            last = done.output.strip().splitlines()[-1:] or ["done"]
            say(f"{mark(good=True)} {name:15} {last[0]}")
    selection.data.seeded.touch()
