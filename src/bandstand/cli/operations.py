"""What the verbs about events share: options that are handed on to the services, and their answers."""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.options import Selection
from bandstand.cli.services import Done, manage
from bandstand.clock import moment

__all__ = ["MOMENT", "answers", "deed_options", "exit_of", "letter_filters", "option_words", "said_no"]

F = TypeVar("F", bound=Callable[..., Any])


class _Moment(click.ParamType[str]):
    """A moment as it was typed, once it is known to be one: the service reads it again."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            moment(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


MOMENT = _Moment()


def letter_filters(command: F) -> F:
    """Let dead letters be chosen by what they are."""
    for option in reversed((
        click.option("--consumer", metavar="NAME", help="Only those of this consumer, as `orders.keep_price`."),
        click.option("--type", metavar="TYPE", help="Only events of this type."),
        click.option("--subject", metavar="ID", help="Only events about this."),
        click.option("--since", type=MOMENT, help="Died since then: 90s, 30m, 2h, 7d ago, or a time in RFC 3339."),
        click.option("--before", type=MOMENT, help="Died before then."),
        click.option("--reason", metavar="TEXT", help="With this in the reason, whatever its case."),
    )):  # fmt: skip
        command = option(command)
    return command


def deed_options(command: F) -> F:
    """Let it be said who does it, why, and only what would be done."""
    for option in reversed((
        click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
        click.option("--by", metavar="NAME", help="Who does it, for the audit trail; default: the user of the system."),
        click.option("--note", metavar="TEXT", help="Why, for the audit trail."),
        click.option("--json", is_flag=True, help="Write JSON for machines."),
    )):  # fmt: skip
        command = option(command)
    return command


def option_words(options: dict[str, Any]) -> list[str]:
    """The options as the service's own command takes them: the same names."""
    words = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, tuple):
            words += [f"{flag}={each}" for each in value]
        elif value is not None and value is not False:
            words.append(f"{flag}={value}")
    return words


def answers(selection: Selection, services: Sequence[str], *words: str) -> dict[str, Any]:
    """What each service answers in JSON; ends the verb when one cannot."""
    found = {}
    for done in manage(selection, services, *words, "--json"):
        if done.status:
            raise Failure(f"{done.service}: {said_no(done.errors)}", exit_of(done))
        found[done.service] = json.loads(done.output)
    return found


def exit_of(done: Done) -> Exit:
    """How the verb ends when a service could not do it, killed ones included."""
    return Exit(done.status) if done.status in set(Exit) else Exit.FAILED


def said_no(errors: str) -> str:
    """Why a service did not do it, without what Django writes before it."""
    return errors.strip().removeprefix("CommandError: ").removeprefix("Error: ")
