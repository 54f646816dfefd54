"""`bandstand reload`."""

import click

from bandstand.cli.failures import Failure
from bandstand.cli.options import Selection, fleet_options, question
from bandstand.cli.output import mark, say

__all__ = ["command"]


@click.command("reload")
@fleet_options
def command(selection: Selection) -> None:
    """Follow a changed fleet.toml: start new services, stop removed ones, replace changed ones; the rest runs on."""
    answer = question(selection, {"do": "reload"}, timeout=120)
    if answer["refused"]:
        raise Failure(f"the gateway refused its new configuration: {answer['refused']}")
    for what in ("added", "changed", "removed"):
        if answer[what]:
            say(f"{mark(good=True)} {what}: {', '.join(answer[what])}")
    say(f"{mark(good=True)} the fleet follows {selection.fleet.file} after {answer['seconds']:.1f} s")
