"""`bandstand shop`."""

import click

from bandstand.cli.failures import Failure
from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.output import mark, say
from bandstand.cli.services import manage

__all__ = ["command"]


@click.group("shop")
def command() -> None:
    """Fill the reference shop."""


@command.command("seed")
@fleet_options
def seed(selection: Selection) -> None:
    """Add the demonstration users, catalogue and stock. A second run changes nothing."""
    seeded = [name for name, spec in selection.fleet.services.items() if spec.seed]
    for done in manage(selection, seeded, "seed", "--skip-checks"):
        if done.status:
            raise Failure(f"{done.service}: {done.errors.strip()}")
        said = done.output.strip().splitlines()[-1:] or ["done"]
        say(f"{mark(good=True)} {done.service:15} {said[0]}")
    selection.data.seeded.touch()
