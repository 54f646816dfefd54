"""`bandstand sagas`; what needs no fleet is in `rehearsals`."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.operations import MOMENT, exit_of, option_words, said_no
from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say, table
from bandstand.cli.rehearsals import prove, record, replay
from bandstand.cli.services import Done, become, chosen_services, manage

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = ("service", "id", "type", "key", "status", "age", "why")
_STATES = ["pending", "running", "waiting", "unknown", "compensating", "compensation_failed", "parked",
           "completed", "compensated", "cancelled", "any"]  # fmt: skip
_UNKNOWN = "Unknown command"  # what Django says of a service that has no sagas
_WHICH = "[SERVICE] SAGA"
_EPILOG = """\b
Examples:
  bandstand sagas list                               what has not ended, and why, in all services
  bandstand sagas list --stuck                       what a person should look at
  bandstand sagas show 01a1fec3                      everything that was tried, returned and said
  bandstand sagas resolve 01a1fec3 --step capture_payment --outcome happened --note "seen at the bank"
  bandstand sagas prove payouts.rehearsals:PAYOUT    crash it at every point; needs no fleet"""


@click.group("sagas", epilog=_EPILOG)
def command() -> None:
    """List sagas and why they wait, show one, act on it, and prove what is declared.

    SAGA is an id, the beginning of one, or a business key; all services are asked unless SERVICE is named.
    """


def _words(function: F) -> F:
    return click.argument("words", nargs=-1, required=True, metavar=_WHICH)(function)


def _step(function: F) -> F:
    said = "The step at hand, as `hotel:Rome` within a loop."
    return click.option("--step", metavar="NAME", help=said)(function)


def _trail(function: F) -> F:
    for option in reversed((
        click.option("--note", metavar="TEXT", help="Why: it stands in the saga's history."),
        click.option("--by", metavar="NAME", help="Who does it; default: the user of the system."),
        click.option("--json", is_flag=True, help="Write JSON for machines."),
    )):  # fmt: skip
        function = option(function)
    return function


@command.command("list")
@click.argument("words", nargs=-1, metavar="[SERVICE] [SAGA]...")
@fleet_options
@click.option(
    "--state", multiple=True, type=click.Choice(_STATES), help="Those in this state instead; may be repeated."
)
@click.option("--type", multiple=True, metavar="NAME", help="Only sagas of this type; may be repeated.")
@click.option("--key", metavar="KEY", help="Only the sagas of this business key.")
@click.option("--step", metavar="NAME", help="Only those that are at this step.")
@click.option("--older-than", type=MOMENT, help="Begun before: 90s, 30m, 2h, 7d ago, or a time in RFC 3339.")
@click.option("--stuck", is_flag=True, help="Only those that a person should look at.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many of each service.")
@json_option
def listing(selection: Selection, words: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """List the sagas that have not ended, latest first, and why they wait."""
    services, named = _addressed(selection, words)
    found = _found(selection, services, [*named, *option_words(options)])
    if as_json:
        print_json(found)
        return
    rows = [[each[column] for column in _COLUMNS] for each in found]
    chosen = named or any(value for name, value in options.items() if name != "limit")
    nothing = "no such sagas" if chosen else "every saga has ended"
    say(table([column.upper() for column in _COLUMNS], rows) if found else nothing)
    if len(found) >= options["limit"]:
        say(f"There may be more: --limit {options['limit']} is for each service.", err=True)


@command.command("show")
@_words
@fleet_options
@click.option("--full", is_flag=True, help="With all that each step was given and returned.")
@click.option("--json", is_flag=True, help="Write JSON for machines.")
def show(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Show one saga with every attempt, its input, output, error, key and worker, and what people said."""
    _become(selection, "show", words, options)


@command.command("retry")
@_words
@fleet_options
@_trail
def retry(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Make the next attempt of one saga now."""
    _become(selection, "retry", words, options)


@command.command("skip")
@_words
@fleet_options
@_step
@_trail
def skip(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Go on without a step at hand; needs --step and --note."""
    _become(selection, "skip", words, options)


@command.command("resolve")
@_words
@fleet_options
@_step
@click.option("--outcome", type=click.Choice(["happened", "did-not-happen", "undone"]), help="How it came out.")
@_trail
def resolve(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Say how a step at hand came out; needs --step, --outcome and --note, and another person to confirm it."""
    _become(selection, "resolve", words, options)


@command.command("cancel")
@_words
@fleet_options
@_trail
def cancel(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Undo one saga, unless it has passed its pivot; needs --note."""
    _become(selection, "cancel", words, options)


@command.command("compensate")
@_words
@fleet_options
@click.option("--force", is_flag=True, help="Even if some effects stay: those of done steps without an undo.")
@_trail
def compensate(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Undo one saga, wherever it is; needs --note."""
    _become(selection, "compensate", words, options)


@command.command("approve")
@_words
@fleet_options
@_step
@_trail
def approve(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Approve what a saga waits for."""
    _become(selection, "approve", words, options)


@command.command("reject")
@_words
@fleet_options
@_step
@_trail
def reject(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Reject what a saga waits for; the note is its reason."""
    _become(selection, "reject", words, options)


@command.command("annotate")
@_words
@fleet_options
@_trail
def annotate(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Write a note into the history of a saga, ended or not; nothing else changes."""
    _become(selection, "annotate", words, options)


@command.command("confirm")
@_words
@fleet_options
@click.option("--proposal", type=click.IntRange(1), metavar="NUMBER", help="Which, where there are several.")
@click.option("--by", metavar="NAME", help="Who confirms: another one than who proposed; default: the system's user.")
@click.option("--json", is_flag=True, help="Write JSON for machines.")
def confirm(selection: Selection, words: tuple[str, ...], **options: Any) -> None:
    """Confirm what another person has proposed."""
    _become(selection, "confirm", words, options)


for verb in (prove, record, replay):
    command.add_command(verb)


def _become(selection: Selection, action: str, words: Sequence[str], options: dict[str, Any]) -> None:
    services, named = _addressed(selection, words)
    if len(named) != 1:
        raise click.UsageError("Name one saga; `bandstand sagas list` shows them.")
    if len(services) > 1:
        services = _owners(selection, services, named[0])
    become(selection, services[0], "sagas", action, named[0], *option_words(options))


def _addressed(selection: Selection, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The service if the first word names one, else all of them; and the sagas."""
    services = chosen_services(selection.fleet, None)
    if words and words[0] in services:
        return [words[0]], list(words[1:])
    return services, list(words)


def _owners(selection: Selection, services: Sequence[str], saga: str) -> list[str]:
    """The one service that has such a saga; ends the verb when none or several have."""
    found = _found(selection, services, [saga, "--state=any"])
    owners = sorted({each["service"] for each in found})
    if not owners:
        raise Failure(
            f"there is no saga {saga!r} in any service; `bandstand sagas list --state any` shows them", Exit.NOT_FOUND
        )
    if len(owners) > 1:
        raise Failure(f"{saga!r} is a saga of {' and '.join(owners)}: name the service before it")
    return owners


def _found(selection: Selection, services: Sequence[str], words: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for done in manage(selection, services, "sagas", "list", *words, "--json"):
        if len(services) > 1 and done.status and _UNKNOWN in done.errors:
            continue
        found += [{"service": done.service, **saga} for saga in _answer(done)]
    return found


def _answer(done: Done) -> list[dict[str, Any]]:
    if done.status and _UNKNOWN in done.errors:
        raise Failure(f"{done.service} has no sagas: bandstand.sagas is not among its apps", Exit.NOT_FOUND)
    if done.status:
        raise Failure(f"{done.service}: {said_no(done.errors)}", exit_of(done))
    return json.loads(done.output)  # type: ignore[no-any-return]  # the service's own list
