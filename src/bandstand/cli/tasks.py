"""`bandstand tasks`."""

import json
from typing import Any
from uuid import UUID

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.operations import exit_of, option_words, said_no
from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say, table
from bandstand.cli.services import Done, chosen_services, manage

__all__ = ["command"]

_BY = click.option("--by", metavar="NAME", help="Who does it, for the audit trail; default: the user of the system.")
_NOTE = click.option("--note", metavar="TEXT", help="Why, for the audit trail.")
_STATES = ["waiting", "ready", "sent", "running", "successful", "failed", "discarded"]
_UNKNOWN = "Unknown command"  # what Django says of a service that runs no tasks


_EPILOG = """\b
Examples:
  bandstand tasks list                               what failed, in all services
  bandstand tasks list --state running --state ready
  bandstand tasks show users 01a1fec3-3c86-74f9-bf16-34d0e46ff630
  bandstand tasks retry users --all"""


@click.group("tasks", epilog=_EPILOG)
def command() -> None:
    """List, show, retry or discard tasks: work that services do after a commit."""


@command.command("list")
@click.argument("service", required=False)
@fleet_options
@json_option
@click.option(
    "--state", "states", multiple=True, type=click.Choice(_STATES), help="Those in this state instead; may be repeated."
)
@click.option("--task", metavar="PATH", help="Only those of this function, as `shop.tasks.send_mail`.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many of each service.")
def listing(selection: Selection, service: str | None, as_json: bool, states: tuple[str, ...], **options: Any) -> None:
    """List the failed tasks of SERVICE, or of all services, the oldest first."""
    found = []
    words = ["tasks", "list", "--json", *option_words({"state": states, **options})]
    for done in manage(selection, chosen_services(selection.fleet, service), *words):
        if service is None and _runs_none(done):
            continue
        found += [{"service": done.service, **task} for task in json.loads(_answer(done))]
    if as_json:
        print_json(found)
        return
    columns = ("service", "id", "state", "task", "queue", "attempts", "reason")
    rows = [[str(task[column]).partition("\n")[0] for column in columns] for task in found]
    say(table([column.upper() for column in columns], rows) if found else "no such tasks")


@command.command("show")
@click.argument("service")
@click.argument("task", type=click.UUID, metavar="ID")
@fleet_options
@json_option
def show(selection: Selection, service: str, task: UUID, as_json: bool) -> None:
    """Show one task of SERVICE with its arguments and traceback."""
    words = ["tasks", "show", str(task), *(["--json"] if as_json else [])]
    say(_told(selection, service, *words))


@command.command("retry")
@click.argument("service")
@click.argument("tasks", nargs=-1, type=click.UUID, metavar="[ID]...")
@fleet_options
@click.option("--all", "everything", is_flag=True, help="Every failed one of the service.")
@_BY
@_NOTE
def retry(selection: Selection, service: str, tasks: tuple[UUID, ...], everything: bool, **trail: Any) -> None:
    """Run tasks of SERVICE again, with all their attempts."""
    _close(selection, service, ["retry", *option_words(trail)], tasks, everything)


@command.command("discard")
@click.argument("service")
@click.argument("tasks", nargs=-1, type=click.UUID, metavar="[ID]...")
@fleet_options
@click.option("--all", "everything", is_flag=True, help="Every failed one of the service.")
@_BY
@_NOTE
def discard(selection: Selection, service: str, tasks: tuple[UUID, ...], everything: bool, **trail: Any) -> None:
    """Give tasks of SERVICE up; they stay visible with `tasks list --state discarded`."""
    _close(selection, service, ["discard", *option_words(trail)], tasks, everything)


def _close(selection: Selection, service: str, action: list[str], tasks: tuple[UUID, ...], everything: bool) -> None:
    if bool(tasks) == everything:
        raise click.UsageError("Name the tasks by id, or say --all.")
    words = ["tasks", *action, *map(str, tasks), *(["--all"] if everything else [])]
    say(_told(selection, service, *words))


def _told(selection: Selection, service: str, *words: str) -> str:
    return _answer(manage(selection, chosen_services(selection.fleet, service), *words)[0]).rstrip()


def _answer(done: Done) -> str:
    if _runs_none(done):
        raise Failure(f"{done.service} runs no tasks: bandstand.tasks is not among its apps", Exit.NOT_FOUND)
    if done.status:
        raise Failure(f"{done.service}: {said_no(done.errors)}", exit_of(done))
    return done.output


def _runs_none(done: Done) -> bool:
    return bool(done.status) and _UNKNOWN in done.errors
