"""`bandstand dlq`."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.operations import answers, deed_options, letter_filters, option_words, said_no
from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say, table
from bandstand.cli.services import become, chosen_services, manage

__all__ = ["command"]

_COLUMNS = ("service", "id", "state", "consumer", "type", "subject", "attempts", "reason")
_WHERE = "[SERVICE] [ID]..."
_EPILOG = """\b
Examples:
  bandstand dlq list --since 2h                      what died lately, in all services
  bandstand dlq show 01a1fec3-3c86-74f9-bf16-34d0e46ff630
  bandstand dlq edit 01a1fec3-3c86-74f9-bf16-34d0e46ff630 --set quantity=2 --dry-run
  bandstand dlq replay orders --consumer orders.learn_product --note "the price is mended\""""


@click.group("dlq", epilog=_EPILOG)
def command() -> None:
    """List, show, replay, edit or discard dead letters: events that a consumer could not apply.

    SERVICE may be left out everywhere; then all services are asked.
    """


@command.command("list")
@click.argument("words", nargs=-1, metavar=_WHERE)
@fleet_options
@letter_filters
@click.option("--state", default="dead", show_default=True, type=click.Choice(["dead", "replayed", "discarded", "any"]))
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many of each service.")
@json_option
def listing(selection: Selection, words: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """List dead letters, the oldest first."""
    service, ids = _addressed(words)
    found = _found(selection, chosen_services(selection.fleet, service), [*ids, *option_words(options)])
    if as_json:
        print_json(found)
        return
    rows = [[str(letter[column]).partition("\n")[0] for column in _COLUMNS] for letter in found]
    say(table([column.upper() for column in _COLUMNS], rows) if found else "no dead letters")
    if len(found) >= options["limit"]:
        say(f"There may be more: --limit {options['limit']} is reached.", err=True)


@command.command("show")
@click.argument("words", nargs=-1, metavar="[SERVICE] ID")
@fleet_options
@json_option
def show(selection: Selection, words: tuple[str, ...], as_json: bool) -> None:
    """Show one dead letter: its event, its attempts, the traceback and what was done with it."""
    service, letter = _one(selection, words)
    become(selection, service, "deadletters", "show", letter, *(["--json"] if as_json else []))


@command.command("replay")
@click.argument("words", nargs=-1, metavar=_WHERE)
@fleet_options
@letter_filters
@deed_options
@click.option("--all", is_flag=True, help="Every open one.")
def replay(selection: Selection, words: tuple[str, ...], **options: Any) -> int:
    """Hand dead letters to their consumers again: those named, those that the filters fit, or --all."""
    return _close(selection, "replay", words, options)


@command.command("discard")
@click.argument("words", nargs=-1, metavar=_WHERE)
@fleet_options
@letter_filters
@deed_options
@click.option("--all", is_flag=True, help="Every open one.")
def discard(selection: Selection, words: tuple[str, ...], **options: Any) -> int:
    """Give dead letters up, for good; they stay visible with `dlq list --state discarded`."""
    return _close(selection, "discard", words, options)


@command.command("edit")
@click.argument("words", nargs=-1, metavar="[SERVICE] ID")
@fleet_options
@click.option("--payload", metavar="JSON", help="The new data, a JSON object; - reads it from standard input.")
@click.option("--set", multiple=True, metavar="FIELD=VALUE", help="Change one field; may be repeated.")
@deed_options
def edit(selection: Selection, words: tuple[str, ...], payload: str | None, **options: Any) -> None:
    """Change the data of an event before it is replayed; without --payload and --set your $EDITOR is opened.

    What does not fit the consumer is refused and named; the difference is shown.
    """
    service, letter = _one(selection, words)
    data = [] if payload is None else [f"--payload={payload}"]
    become(selection, service, "deadletters", "edit", letter, *data, *option_words(options))


def _addressed(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The service, if one is named, and the ids."""
    service = words[0] if words and not _is_id(words[0]) else None
    ids = list(words[1:] if service else words)
    for each in ids:
        if not _is_id(each):
            raise click.UsageError(f"{each!r} is no id of a dead letter; `bandstand dlq list` shows them.")
    return service, ids


def _is_id(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True


def _one(selection: Selection, words: Sequence[str]) -> tuple[str, str]:
    service, ids = _addressed(words)
    if len(ids) != 1:
        raise click.UsageError("Name one dead letter by its id; `bandstand dlq list` shows them.")
    if service:
        return chosen_services(selection.fleet, service)[0], ids[0]
    return _owners(selection, ids)[ids[0]], ids[0]


def _owners(selection: Selection, ids: Sequence[str]) -> dict[str, str]:
    """Which service holds each of the ids; ends the verb when one is nowhere."""
    limit = ["--state=any", f"--limit={len(ids)}"]
    found = _found(selection, chosen_services(selection.fleet, None), [*ids, *limit])
    owners = {letter["id"]: letter["service"] for letter in found}
    for each in ids:
        if str(UUID(each)) not in owners:
            raise Failure(f"there is no dead letter {each} in any service", Exit.NOT_FOUND)
    return {each: owners[str(UUID(each))] for each in ids}


def _found(selection: Selection, services: Sequence[str], words: Sequence[str]) -> list[dict[str, Any]]:
    found = answers(selection, services, "deadletters", "list", *words)
    return [{"service": service, **letter} for service, letters in found.items() for letter in letters]


def _close(selection: Selection, action: str, words: Sequence[str], options: dict[str, Any]) -> int:
    service, ids = _addressed(words)
    said = option_words(options)
    chosen = any(options[name] for name in ("all", "consumer", "type", "subject", "since", "before", "reason"))
    if bool(ids) == chosen:
        raise click.UsageError("Name the dead letters by id, choose them by a filter such as --consumer, or say --all.")
    if service:
        become(selection, *chosen_services(selection.fleet, service), "deadletters", action, *ids, *said)
    if not ids:
        return _in_each(selection, {name: [] for name in chosen_services(selection.fleet, None)}, action, said)
    owned: dict[str, list[str]] = {}
    for letter, owner in _owners(selection, ids).items():
        owned.setdefault(owner, []).append(letter)
    return _in_each(selection, owned, action, said)


def _in_each(selection: Selection, owned: dict[str, list[str]], action: str, said: Sequence[str]) -> int:
    """Do it in one service after the other and say what each did."""
    results: dict[str, Any] = {}
    failed = False
    for service, ids in owned.items():
        done = manage(selection, [service], "deadletters", action, *ids, *said)[0]
        failed = failed or bool(done.status)
        if done.status:
            say(f"{service}: {said_no(done.errors)}", err=True)
        elif "--json" in said:
            results[service] = json.loads(done.output)
        else:
            *lines, last = done.output.rstrip().splitlines()
            if not last.startswith("0 "):
                say("\n".join([*lines, f"{service}: {last}"]))
                results[service] = last
    if "--json" in said:
        print_json(results)
    elif not results and not failed:
        say(f"there is nothing to {action}")
    return Exit.FAILED if failed else Exit.OK
