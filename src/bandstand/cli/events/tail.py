"""`bandstand events tail`."""

from difflib import get_close_matches
from typing import Any

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.operations import MOMENT, answers, option_words
from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.services import become, chosen_services

__all__ = ["tail"]


@click.command("tail")
@fleet_options
@click.option("--service", metavar="NAME", help="Only what this service publishes.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; may be repeated.")
@click.option("--subject", metavar="ID", help="Only events about this.")
@click.option("--since", type=MOMENT, help="Show what was published since: 10m, 2h, or a time in RFC 3339; then end.")
@click.option("-f", "--follow", is_flag=True, help="With --since: go on with what comes, until Ctrl-C.")
@click.option("-n", "--limit", type=click.IntRange(1), help="End after so many events.")
@click.option("--json", is_flag=True, help="One whole envelope per line, for machines.")
def tail(selection: Selection, service: str | None, types: tuple[str, ...], **options: Any) -> None:
    """Show events as they pass on the bus, from now on until Ctrl-C. No consumer is disturbed."""
    services = chosen_services(selection.fleet, None)
    known = {each for found in answers(selection, services, "events", "types").values() for each in found}
    chosen = _chosen(known, types)
    if service:
        chosen_services(selection.fleet, service)
        chosen = [each for each in chosen if each.partition(".")[0] == service]
    if not chosen:
        raise Failure(f"{service or 'the fleet'} publishes no such events", Exit.NOT_FOUND)
    become(selection, services[0], "events", "tail", *option_words({"type": tuple(chosen), **options}))


def _chosen(known: set[str], types: tuple[str, ...]) -> list[str]:
    for each in types:
        if each not in known:
            close = get_close_matches(each, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(sorted(known)) or 'none'}."
            raise Failure(f"no service declares the event {each!r}. {hint}", Exit.NOT_FOUND)
    return sorted(types or known)
