"""`bandstand restart`."""

import click

from bandstand.cli.options import Selection, fleet_options, question
from bandstand.cli.output import mark, say

__all__ = ["command"]


@click.command("restart")
@click.argument("service")
@fleet_options
def command(selection: Selection, service: str) -> None:
    """Replace the processes of SERVICE: the new one is ready before the old one stops, no request is lost.

    The gateway and backing servers have fixed ports: they are stopped, then started.
    """
    answer = question(selection, {"do": "restart", "name": service}, timeout=120)
    say(f"{mark(good=True)} {', '.join(answer['restarted'])} replaced in {answer['seconds']:.1f} s")
