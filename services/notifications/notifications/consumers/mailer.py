"""Sending: the mails that are due, in batches over one connection, at least once."""

import logging
import threading

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from bandstand.lifecycle import Loop
from notifications import commands, queries
from notifications.config import mail_config
from notifications.models import Mail

log = logging.getLogger(__name__)

_BATCH = 100
_IDLE_SECONDS = 1.0

wake = threading.Event()
"""Set when a mail was committed in this process; others are found at the next look, a second later."""


class MailerLoop(Loop):
    """Send what is due; a mail whose sender died is sent again after its lease, with the same Message-ID."""

    name = "mailer"

    def run(self, stop: threading.Event) -> None:
        """Send until *stop*."""
        while not stop.is_set():
            self.beat()
            if not send_due_mails():
                wake.wait(_IDLE_SECONDS)
                wake.clear()


def send_due_mails() -> int:
    """Send one batch and return how many mails it held."""
    mails = commands.claim_mails(limit=_BATCH, lease=mail_config().lease)
    if not mails:
        return 0
    addresses = queries.addresses([mail.user_id for mail in mails])
    connection = get_connection()
    try:
        sent = [mail.pk for mail in mails if _send(mail, to=addresses.get(mail.user_id), connection=connection)]
    finally:
        connection.close()
    commands.record_sent(mail_ids=sent)
    return len(mails)


def _send(mail: Mail, *, to: str | None, connection: BaseEmailBackend) -> bool:
    if to is None:  # the event of the order overtook the one of the user
        commands.record_unsent(mail=mail, error="no address is known yet")
        return False
    headers = {"Message-ID": mail.message_id}
    message = EmailMessage(mail.subject, mail.text, mail_config().sender, [to], headers=headers, connection=connection)
    try:
        message.send()
    except (OSError, ValueError) as error:
        log.warning("mail.send_failed", extra={"mail_id": str(mail.pk), "attempt": mail.attempts + 1})
        commands.record_unsent(mail=mail, error=str(error))
        return False
    return True
