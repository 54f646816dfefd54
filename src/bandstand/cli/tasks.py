"""`bandstand tasks`."""

import json

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say, table
from bandstand.cli.services import chosen_services, manage, manage_one

__all__ = ["command"]

_UNKNOWN = "Unknown command"  # what Django says of a service that runs no tasks


@click.group("tasks")
def command() -> None:
    """List, show, retry or discard tasks: work that services do after a commit."""


@command.command("list")
@click.argument("service", required=False)
@fleet_options
@json_option
@click.option("--state", "states", multiple=True, help="Those in this state instead of those that failed.")
@click.option("--limit", type=int, default=100, show_default=True)
def listing(selection: Selection, service: str | None, as_json: bool, states: tuple[str, ...], limit: int) -> None:
    """List the failed tasks of SERVICE, or of all services."""
    wanted = [word for state in states for word in ("--state", state)]
    found = []
    words = ["tasks", "list", "--json", "--limit", str(limit), *wanted]
    for done in manage(selection, chosen_services(selection.fleet, service), *words):
        if done.status and service is None and _UNKNOWN in done.errors:
            continue
        if done.status:
            raise Failure(f"{done.service}: {done.errors.strip()}", Exit.FAILED)
        found += [{"service": done.service, **task} for task in json.loads(done.output)]
    if as_json:
        print_json(found)
        return
    columns = ("service", "id", "state", "task", "queue", "attempts", "reason")
    rows = [[task[column] for column in columns] for task in found]
    say(table([column.upper() for column in columns], rows) if found else "no such tasks")


@command.command("show")
@click.argument("service")
@click.argument("task")
@fleet_options
@json_option
def show(selection: Selection, service: str, task: str, as_json: bool) -> None:
    """Show one task of SERVICE with its arguments and traceback."""
    words = ["tasks", "show", task, *(["--json"] if as_json else [])]
    say(manage_one(selection, *chosen_services(selection.fleet, service), *words).output.rstrip())


@command.command("retry")
@click.argument("service")
@click.argument("tasks", nargs=-1)
@fleet_options
@click.option("--all", "everything", is_flag=True, help="Every failed one of the service.")
def retry(selection: Selection, service: str, tasks: tuple[str, ...], everything: bool) -> None:
    """Run tasks of SERVICE again, with all their attempts."""
    _close(selection, service, "retry", tasks, everything)


@command.command("discard")
@click.argument("service")
@click.argument("tasks", nargs=-1)
@fleet_options
@click.option("--all", "everything", is_flag=True, help="Every failed one of the service.")
def discard(selection: Selection, service: str, tasks: tuple[str, ...], everything: bool) -> None:
    """Give tasks of SERVICE up; they stay visible with `tasks list --state discarded`."""
    _close(selection, service, "discard", tasks, everything)


def _close(selection: Selection, service: str, action: str, tasks: tuple[str, ...], everything: bool) -> None:
    if bool(tasks) == everything:
        raise click.UsageError("Name the tasks by id, or say --all.")
    words = ["tasks", action, *tasks, *(["--all"] if everything else [])]
    say(manage_one(selection, *chosen_services(selection.fleet, service), *words).output.rstrip())
