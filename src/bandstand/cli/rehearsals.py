"""`bandstand sagas prove`, `record` and `replay`: a project's sagas under test, with or without a fleet."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.output import say
from bandstand.testing.rehearsing import NotThere, prove_named, record_saga, replay_files, set_up

__all__ = ["prove", "record", "replay"]

F = TypeVar("F", bound=Callable[..., Any])

_MOST_SHOWN = 20


def _settings(function: F) -> F:
    return click.option("--settings", metavar="MODULE", default="", help="Instead of DJANGO_SETTINGS_MODULE.")(function)


@click.command("prove")
@click.argument("rehearsal", metavar="MODULE:NAME")
@click.option(
    "--hits", default=2, show_default=True, type=click.IntRange(1), help="Die at so many passages of a point."
)
@click.option("--in-processes", is_flag=True, help="Let processes really die.")
@_settings
def prove(rehearsal: str, settings: str, **options: Any) -> Exit:
    """Crash a saga at every point, in every scenario in which a step fails, on a database made for it.

    MODULE:NAME is a Rehearsal. Exits with 1 when something is found.
    """
    set_up(settings)
    try:
        proof = prove_named(rehearsal, **options)
    except NotThere as error:
        raise Failure(str(error), Exit.NOT_FOUND) from error
    say(str(proof))
    for violation in proof.violations[:_MOST_SHOWN]:
        say(f"  {violation}")
    return Exit.FAILED if proof.violations else Exit.OK


@click.command("record")
@click.argument("saga_id", metavar="ID", type=click.UUID)
@click.argument("file", type=click.Path(path_type=Path))
@_settings
def record(saga_id: UUID, file: Path, settings: str) -> None:
    """Write the history of a saga that has ended to FILE, from the database that the settings name."""
    set_up(settings)
    try:
        record_saga(saga_id, file)
    except NotThere as error:
        raise Failure(str(error), Exit.NOT_FOUND) from error
    except ValueError as error:
        raise Failure(str(error)) from error


@click.command("replay")
@click.argument("saga", metavar="MODULE:NAME")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_settings
def replay(saga: str, files: tuple[Path, ...], settings: str) -> Exit:
    """Feed recorded histories through the saga of today; exits with 1 when one would go another way."""
    set_up(settings)
    try:
        diverged = replay_files(saga, files)
    except NotThere as error:
        raise Failure(str(error), Exit.NOT_FOUND) from error
    for one in diverged:
        say(str(one))
    say(f"{len(files) - len(diverged)} of {len(files)} histories take the same way")
    return Exit.FAILED if diverged else Exit.OK
