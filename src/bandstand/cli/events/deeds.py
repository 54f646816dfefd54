"""`bandstand events publish|revive|forget`."""

from typing import Any

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.operations import answers, deed_options, option_words
from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.services import become, chosen_services

__all__ = ["forget", "publish", "revive"]

_BY = click.option("--by", metavar="NAME", help="Who does it, for the audit trail; default: the user of the system.")
_NOTE = click.option("--note", metavar="TEXT", help="Why, for the audit trail.")


@click.command("publish")
@click.argument("type_", metavar="TYPE")
@fleet_options
@click.option("--payload", required=True, metavar="JSON", help="A JSON object; - reads it from standard input.")
@click.option("--subject", metavar="ID", help="The id that the event is about, unless the data has it.")
@deed_options
def publish(selection: Selection, type_: str, payload: str, **options: Any) -> None:
    """Publish an event of TYPE as the service that owns it does: through its outbox.

    The data is checked against the event's class. It is a fact to every consumer, and to the sagas it starts.
    """
    owner = type_.partition(".")[0]
    if owner not in chosen_services(selection.fleet, None):
        services = ", ".join(chosen_services(selection.fleet, None))
        raise Failure(f"{type_!r} begins with no service of the fleet; there are: {services}", Exit.NOT_FOUND)
    become(selection, owner, "events", "publish", type_, f"--payload={payload}", *option_words(options))


@click.command("revive")
@click.argument("service")
@fleet_options
@_BY
@_NOTE
def revive(selection: Selection, service: str, **options: Any) -> None:
    """Let the relay of SERVICE try again what the bus refused for good."""
    become(selection, *chosen_services(selection.fleet, service), "events", "revive", *option_words(options))


@click.command("forget")
@click.argument("group")
@fleet_options
@_BY
@_NOTE
def forget(selection: Selection, group: str, **options: Any) -> None:
    """Let the bus drop what only the retired GROUP still holds; `bandstand events lag` shows the groups.

    What it has not read is gone for it. The trail of it is in the database of the first service of the fleet.
    """
    services = chosen_services(selection.fleet, None)
    known = {each["group"] for each in answers(selection, services[:1], "events", "lag")[services[0]]}
    if group not in known:
        raise Failure(f"there is no group {group!r}; there are: {', '.join(sorted(known)) or 'none'}", Exit.NOT_FOUND)
    become(selection, services[0], "events", "forget", group, *option_words(options))
