"""`bandstand mailbox`."""

import click

from bandstand.cli.options import Selection, fleet_options, json_option
from bandstand.cli.output import say
from bandstand.cli.services import manage_one

__all__ = ["command"]


@click.command("mailbox")
@click.argument("mail", required=False)
@fleet_options
@json_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many to list.")
def command(selection: Selection, mail: str | None, as_json: bool, limit: int) -> None:
    """List the newest mails that the shop sent, or show MAIL whole."""
    words = [*([mail] if mail else []), "--limit", str(limit), *(["--json"] if as_json else [])]
    text = manage_one(selection, "notifications", "mailbox", *words).output.rstrip()
    say(text or "no mails yet")
