"""`bandstand logs`."""

from pathlib import Path

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.output import say
from bandstand.fleet.logs import follow, tail

__all__ = ["command"]


@click.command("logs")
@click.argument("service", required=False)
@fleet_options
@click.option("-f", "--follow", "following", is_flag=True, help="Go on showing new lines until Ctrl-C.")
@click.option("-n", "--lines", default=50, show_default=True, help="How many of the last lines, for each process.")
def command(selection: Selection, service: str | None, following: bool, lines: int) -> None:
    """Show what the processes of SERVICE, or of the whole fleet, wrote. Works for a stopped fleet too."""
    logs = _chosen(selection.data.root / "logs", service)
    for log in logs:
        for line in tail(log, lines=lines).splitlines():
            say(_shown(log, line, single=len(logs) == 1))
    if following:
        for log, line in follow(logs):
            say(_shown(log, line, single=len(logs) == 1))


def _chosen(folder: Path, service: str | None) -> list[Path]:
    found = sorted(folder.glob("*.log"))
    if service:
        found = [log for log in found if log.stem == service or log.stem.rpartition("-")[0] == service]
    if not found:
        known = ", ".join(sorted(log.stem for log in folder.glob("*.log"))) or "none yet"
        raise Failure(f"there is no log of {service or 'any process'} in {folder}; there are: {known}", Exit.NOT_FOUND)
    return found


def _shown(log: Path, line: str, *, single: bool) -> str:
    return line if single else f"{log.stem:14} {line}"
