"""`bandstand events lag|outbox|inbox`."""

from collections.abc import Sequence
from typing import Any

import click

from bandstand.cli.operations import answers, option_words
from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import print_json, say, table
from bandstand.cli.services import chosen_services

__all__ = ["inbox", "lag", "outbox"]


@click.command("lag")
@fleet_options
@json_option
def lag(selection: Selection, as_json: bool) -> None:
    """Show every consumer group: what it has not acknowledged, what waits for a retry, what died."""
    found: dict[str, dict[str, Any]] = {}
    for groups in answers(selection, chosen_services(selection.fleet, None), "events", "lag").values():
        for each in groups:
            if each["waiting"] is not None or each["group"] not in found:
                found[each["group"]] = each
    if as_json:
        print_json([found[name] for name in sorted(found)])
        return
    rows = [_cells(found[name], ("group", "lag", "waiting", "dead", "paused")) for name in sorted(found)]
    say(table(["GROUP", "LAG", "WAITING", "DEAD", "PAUSED", "OLDEST"], rows) if rows else "there are no groups")
    strangers = [name for name, each in found.items() if each["waiting"] is None]
    if strangers:
        say(f"No service of the fleet owns {', '.join(strangers)}: `bandstand events forget GROUP` ends one.", err=True)


@click.command("outbox")
@click.argument("service", required=False)
@fleet_options
@click.option("--rows", is_flag=True, help="Single rows instead of numbers; any filter implies it.")
@click.option("--type", metavar="TYPE", help="Only events of this type.")
@click.option("--subject", metavar="ID", help="Only events about this.")
@click.option("--state", type=click.Choice(["pending", "dead", "delivered"]), help="Default: pending.")
@click.option("--limit", type=click.IntRange(1), help="How many rows of each service; default: 50.")
@json_option
def outbox(selection: Selection, service: str | None, as_json: bool, **options: Any) -> None:
    """Show what the bus has not accepted yet, or refused for good, in SERVICE or in all services."""
    found = _merged(selection, service, "outbox", options)
    columns = ("service", "type", "pending", "retrying", "dead")
    _show(found, columns, as_json=as_json, nothing="no such rows: the bus has accepted everything")
    if not as_json and any(each.get("dead") for each in found):
        say("`bandstand events outbox --state dead` says why; `bandstand events revive SERVICE` tries again.", err=True)


@click.command("inbox")
@click.argument("service", required=False)
@fleet_options
@click.option("--rows", is_flag=True, help="The events that wait, instead of numbers; --type and --subject imply it.")
@click.option("--consumer", metavar="NAME", help="Only this consumer.")
@click.option("--type", metavar="TYPE", help="Only events of this type.")
@click.option("--subject", metavar="ID", help="Only events about this.")
@click.option("--limit", type=click.IntRange(1), help="How many rows of each service; default: 50.")
@json_option
def inbox(selection: Selection, service: str | None, as_json: bool, **options: Any) -> None:
    """Show what each consumer has applied, what waits for a retry and what died, in SERVICE or in all services."""
    found = _merged(selection, service, "inbox", options)
    columns = ("consumer", "type", "applied", "waiting", "dead", "paused")
    _show(found, columns, as_json=as_json, nothing="nothing of the kind is there")


def _merged(selection: Selection, service: str | None, what: str, options: dict[str, Any]) -> list[dict[str, Any]]:
    services = chosen_services(selection.fleet, service)
    found = answers(selection, services, "events", what, *option_words(options))
    return [{"service": name, **row} for name, rows in found.items() for row in rows]


def _show(found: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(list(found))
    elif not found:
        say(nothing)
    elif "oldest_seconds" in found[0]:
        say(table([*(column.upper() for column in columns), "OLDEST"], [_cells(each, columns) for each in found]))
    else:
        head = list(found[0])
        say(table([name.upper() for name in head], [["" if row[name] is None else row[name] for name in head]
                                                    for row in found]))  # fmt: skip


def _cells(each: dict[str, Any], columns: Sequence[str]) -> list[str]:
    cells = [_word(each[column]) for column in columns]
    age = each["oldest_seconds"]
    return [*cells, "-" if age is None else _duration(age)]


def _word(value: Any) -> str:
    if value is True:
        return "yes"
    return "-" if value is None or value is False else str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {rest}s" if minutes else f"{rest}s"
