"""`bandstand contracts`."""

from pathlib import Path

import click

from bandstand.cli.failures import Exit
from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.output import mark, say
from bandstand.cli.services import Done, chosen_services, manage

__all__ = ["command"]

_FOLDER = click.option("--folder", type=click.Path(path_type=Path), help="Default: contracts beside fleet.toml.")


@click.group("contracts")
def command() -> None:
    """Write or check what the services promise one another: OpenAPI documents and event schemas."""


@command.command("write")
@fleet_options
@_FOLDER
def write(selection: Selection, folder: Path | None) -> int:
    """Write every service's contracts."""
    return _report([_do(selection, name, "write", folder) for name in chosen_services(selection.fleet, None)])


@command.command("check")
@fleet_options
@_FOLDER
def check(selection: Selection, folder: Path | None) -> int:
    """Compare the contracts with the code; exit code 1 where they differ."""
    return _report([_do(selection, name, "check", folder) for name in chosen_services(selection.fleet, None)])


def _do(selection: Selection, service: str, action: str, folder: Path | None) -> Done:
    where = (folder or selection.fleet.root / "contracts").absolute()
    # One after another: the list of consumers is one file for all.
    return manage(
        selection, [service], "contracts", action, "--folder", str(where), env={"SERVICE_ENVIRONMENT": "test"}
    )[0]


def _report(done: list[Done]) -> int:
    for each in done:
        say(f"{mark(good=not each.status)} {each.service}")
        if each.status:
            say(each.errors.rstrip(), err=True)
    return Exit.FAILED if any(each.status for each in done) else Exit.OK
