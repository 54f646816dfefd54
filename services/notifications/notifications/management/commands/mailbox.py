"""`manage.py mailbox`: the mails, newest first, or one of them whole."""

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from bandstand.clock import rfc3339
from notifications import queries
from notifications.models import Mail


class Command(BaseCommand):
    """Show mails."""

    help = "List the newest mails, or show one whole."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("mail_id", nargs="?", help="show this mail; without it the newest are listed")
        parser.add_argument("--limit", type=int, default=20, help="how many to list")
        parser.add_argument("--json", action="store_true", help="write JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write them."""
        found = queries.mails()
        if options["mail_id"]:
            found = found.filter(pk=_id(options["mail_id"]))
        mails = list(found[: options["limit"]])
        if options["mail_id"] and not mails:
            raise CommandError(f"there is no mail {options['mail_id']}")
        addresses = queries.addresses([mail.user_id for mail in mails])
        shown = [_present(mail, addresses.get(mail.user_id, "")) for mail in mails]
        if options["json"]:
            self.stdout.write(json.dumps(shown))
            return
        for mail in shown:
            waiting = mail["error"] or ("" if mail["to"] else "no address is known yet")
            state = f"sent {mail['sent_at']}" if mail["sent_at"] else f"not sent yet {waiting}".rstrip()
            self.stdout.write(f"{mail['id']}  {mail['to'] or '(unknown)'}  {mail['subject']}  [{state}]")
            if options["mail_id"]:
                self.stdout.write(f"\n{mail['text']}")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CommandError(f"{text} is no mail's id") from None


def _present(mail: Mail, address: str) -> dict[str, Any]:
    return {
        "id": str(mail.pk),
        "to": address,
        "kind": mail.kind,
        "subject": mail.subject,
        "text": mail.text,
        "message_id": mail.message_id,
        "event_id": str(mail.event_id),
        "created_at": rfc3339(mail.created_at),
        "sent_at": rfc3339(mail.sent_at) if mail.sent_at else None,
        "attempts": mail.attempts,
        "error": mail.error,
    }
