"""`bandstand check`."""

import click

from bandstand.cli.failures import Exit
from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.output import mark, say
from bandstand.cli.services import chosen_services, manage

__all__ = ["command"]


@click.command("check")
@fleet_options
def command(selection: Selection) -> int:
    """Check fleet.toml and run the system checks of every service; exit code 1 when one of them complains."""
    fleet = selection.fleet
    say(f"{mark(good=True)} {fleet.file.name}: {len(fleet.services)} services, {len(fleet.routes)} routes")
    done = manage(selection, chosen_services(fleet, None), "check", "--fail-level", "WARNING")
    for each in done:
        say(f"{mark(good=not each.status)} {each.service}")
        if each.status:
            say(each.errors.rstrip(), err=True)
    return Exit.FAILED if any(each.status for each in done) else Exit.OK
