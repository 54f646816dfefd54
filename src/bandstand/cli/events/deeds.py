"""`bandstand events publish|pause|resume|revive|forget`."""

from typing import Any

import click

from bandstand.cli.failures import Exit, Failure
from bandstand.cli.operations import answers, deed_options, option_words
from bandstand.cli.options import Selection, fleet_options
from bandstand.cli.services import become, chosen_services

__all__ = ["forget", "pause", "publish", "resume", "revive"]

_BY = click.option("--by", metavar="NAME", help="Who does it, for the audit trail; default: the user of the system.")
_NOTE = click.option("--note", metavar="TEXT", help="Why, for the audit trail.")
_JSON = click.option("--json", is_flag=True, help="What was done, for machines.")


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
    become(
        selection,
        _owner(selection, type_, None),
        "events",
        "publish",
        type_,
        f"--payload={payload}",
        *option_words(options),
    )


@click.command("revive")
@click.argument("service")
@fleet_options
@_BY
@_NOTE
@_JSON
def revive(selection: Selection, service: str, **options: Any) -> None:
    """Let the relay of SERVICE try again what the bus refused for good."""
    become(selection, *chosen_services(selection.fleet, service), "events", "revive", *option_words(options))


@click.command("pause")
@click.argument("consumer")
@fleet_options
@click.option("--service", metavar="NAME", help="Whose consumer it is, where its name alone is given.")
@_BY
@_NOTE
@_JSON
def pause(selection: Selection, consumer: str, service: str | None, **options: Any) -> None:
    """Apply nothing more for CONSUMER, as `orders.note_payment`, or for a whole group, as `orders`, until `resume`.

    What comes for a consumer waits in its service's database, in order; what comes for a group stays on the bus.
    """
    become(selection, _owner(selection, consumer, service), "events", "pause", consumer, *option_words(options))


@click.command("resume")
@click.argument("consumer")
@fleet_options
@click.option("--service", metavar="NAME", help="Whose consumer it is, where its name alone is given.")
@_BY
@_NOTE
@_JSON
def resume(selection: Selection, consumer: str, service: str | None, **options: Any) -> None:
    """Let a paused CONSUMER or group go on where it was: what waits is applied first, in order."""
    become(selection, _owner(selection, consumer, service), "events", "resume", consumer, *option_words(options))


@click.command("forget")
@click.argument("group")
@fleet_options
@_BY
@_NOTE
@_JSON
def forget(selection: Selection, group: str, **options: Any) -> None:
    """Let the bus drop what only the retired GROUP still holds; `bandstand events lag` shows the groups.

    What it has not read is gone for it. The trail of it is in the database of the first service of the fleet.
    """
    services = chosen_services(selection.fleet, None)
    known = {each["group"] for each in answers(selection, services[:1], "events", "lag")[services[0]]}
    if group not in known:
        raise Failure(f"there is no group {group!r}; there are: {', '.join(sorted(known)) or 'none'}", Exit.NOT_FOUND)
    become(selection, services[0], "events", "forget", group, *option_words(options))


def _owner(selection: Selection, name: str, service: str | None) -> str:
    """The service that is meant: the one chosen, else the one that the name begins with."""
    services = chosen_services(selection.fleet, service)
    owner = service or name.partition(".")[0]
    if owner not in services:
        raise Failure(f"{name!r} begins with no service of the fleet; there are: {', '.join(services)}", Exit.NOT_FOUND)
    return owner
