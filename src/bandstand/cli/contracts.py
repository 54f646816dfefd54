"""`bandstand contracts`."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import msgspec

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import mark, print_json, say
from bandstand.cli.services import chosen_services, manage
from bandstand.service import promises
from bandstand.service.promises import Facts, Review

__all__ = ["command"]

_FOLDER = click.option("--folder", type=click.Path(path_type=Path), help="Default: contracts beside fleet.toml.")
_NEW_VERSION = "A committed promise is broken: publish a new version of the event, or leave the old fields as they are."
_REREAD = "A consumer reads what nobody promises: it may declare only fields that the publisher's contract has."


@click.group("contracts")
def command() -> None:
    """Write or check what the services promise one another: OpenAPI documents and event schemas."""


@command.command("write")
@fleet_options
@_FOLDER
@click.option(
    "--breaking", is_flag=True, help="Also record changes that break a promise, where nobody relies on it yet."
)
def write(selection: Selection, folder: Path | None, breaking: bool) -> int:
    """Write every service's contracts; refuses what breaks a committed promise."""
    where, facts = _folder(selection, folder), _facts(selection)
    found = promises.review(where, facts, fleet=selection.fleet.name)
    if found.broken and not breaking:
        _tell(Review(broken=found.broken, misreads=[], drifts=[]))
        return Exit.FAILED
    for path in promises.write(where, facts, fleet=selection.fleet.name):
        say(_shown(str(where / path)))
    return Exit.OK


@command.command("check")
@fleet_options
@_FOLDER
@json_option
def check(selection: Selection, folder: Path | None, as_json: bool) -> int:
    """Compare the contracts with the code; exit code 1 where they differ.

    A change that breaks a committed promise is named with each consumer that reads it, by file and line.
    """
    where = _folder(selection, folder)
    facts = _facts(selection)
    found = promises.review(where, facts, fleet=selection.fleet.name)
    if as_json:
        print_json({"clean": found.is_clean, **_relative(asdict(found))})
    else:
        _tell(found)
        if found.is_clean:
            say(f"{mark(good=True)} {len(facts)} services keep their contracts")
    return Exit.OK if found.is_clean else Exit.FAILED


@command.command("asyncapi")
@fleet_options
@click.argument("service", required=False)
def asyncapi(selection: Selection, service: str | None) -> None:
    """Print the AsyncAPI 3.0 document of SERVICE, or of the whole fleet."""
    say(promises.asyncapi(service or selection.fleet.name, _facts(selection, service)).rstrip())


def _facts(selection: Selection, service: str | None = None) -> list[Facts]:
    """Ask every service, each in a process of its own, all at once."""
    services = chosen_services(selection.fleet, service)
    answers = manage(selection, services, "contracts", "facts", env={"SERVICE_ENVIRONMENT": "test"})
    failed = [f"{each.service}: {each.errors.strip()}" for each in answers if each.status]
    if failed:
        raise Failure("\n".join(failed))
    return [msgspec.json.decode(each.output, type=Facts) for each in answers]


def _folder(selection: Selection, folder: Path | None) -> Path:
    return (folder or selection.fleet.root / "contracts").absolute()


def _tell(found: Review) -> None:
    for broken, remedy in ((found.broken, _NEW_VERSION), (found.misreads, _REREAD)):
        for each in broken:
            say(f"{mark(good=False)} {_relative(str(each))}", err=True)
        if broken:
            say(remedy, err=True)
    for drift in found.drifts:
        say(f"{mark(good=False)} {drift}", err=True)


def _relative(told: Any) -> Any:
    """Write paths below the current folder as a person there would."""
    if isinstance(told, dict):
        return {key: _relative(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_relative(value) for value in told]
    return _shown(told) if isinstance(told, str) else told


def _shown(text: str) -> str:
    return text.replace(f"{Path.cwd()}/", "")
