"""`bandstand events`."""

import click

from bandstand.cli.events.counts import inbox, lag, outbox
from bandstand.cli.events.deeds import forget, pause, publish, resume, revive
from bandstand.cli.events.tail import tail

__all__ = ["command"]


@click.group("events")
def command() -> None:
    """Watch events, publish one by hand, see how far behind bus, outboxes and inboxes are."""


for each in (tail, publish, lag, outbox, inbox, pause, resume, revive, forget):
    command.add_command(each)
