"""`bandstand events`."""

import click

from bandstand.cli.events.counts import inbox, lag, outbox
from bandstand.cli.events.deeds import forget, pause, publish, resume, revive
from bandstand.cli.events.tail import tail

__all__ = ["command"]


_EPILOG = """\b
Examples:
  bandstand events tail --since 10m -f               what was published, and what comes
  bandstand events lag                               how far behind every consumer group is
  bandstand events outbox orders --state delivered --limit 5
  bandstand events publish users.user_updated.v1 --payload - --dry-run < event.json"""


@click.group("events", epilog=_EPILOG)
def command() -> None:
    """Watch events, publish one by hand, see how far behind bus, outboxes and inboxes are."""


for each in (tail, publish, lag, outbox, inbox, pause, resume, revive, forget):
    command.add_command(each)
