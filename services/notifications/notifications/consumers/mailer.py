"""Sending: the mails that are due, over one connection a batch, at least once."""

import logging
import threading
from collections.abc import Iterator

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

from bandstand import clock
from bandstand.lifecycle import Loop
from notifications import commands, queries
from notifications.config import notifications_config
from notifications.models import Mail

log = logging.getLogger(__name__)

_BATCH = 20
_IDLE_SECONDS = 1.0
_GATHERING_SECONDS = 0.1
"""Mails written within it are claimed together: a claim costs more than a mail, and nobody waits for one."""

mail_written = threading.Event()
"""Set when a mail was committed in this process; others, and addresses, are found at the next look, a second later."""


class MailerLoop(Loop):
    """Send what is due; a mail whose sender died is sent again after its lease, with the same Message-ID."""

    name = "mailer"

    def run(self, stop: threading.Event) -> None:
        """Send until *stop*; one mail is the unit of work."""
        while not stop.is_set():
            handled = 0
            with self.iteration():
                for _ in send_due_mails():
                    handled += 1
                    self.beat()
                    if stop.is_set():
                        return
            if not handled:
                mail_written.wait(_IDLE_SECONDS)
                mail_written.clear()
                stop.wait(_GATHERING_SECONDS)

    def wake(self) -> None:
        """End the wait for the next mail."""
        mail_written.set()


def send_due_mails() -> Iterator[Mail]:
    """Send one batch, giving each mail once it is dealt with; what is left when the lease is half over stays for later.

    Each mail is noted as sent by itself: a sender that dies repeats one mail, not a batch.
    """
    lease = notifications_config().lease
    late = clock.monotonic() + lease.total_seconds() / 2
    mails = commands.claim_mails(limit=_BATCH, lease=lease)
    addresses = queries.addresses({mail.user_id for mail in mails})
    connection = get_connection()
    try:
        for mail in mails:
            if clock.monotonic() > late:
                return
            _send(mail, to=addresses[mail.user_id], connection=connection)
            yield mail
    finally:
        connection.close()


def _send(mail: Mail, *, to: str, connection: BaseEmailBackend) -> None:
    headers = {"Message-ID": mail.message_id}
    message = EmailMessage(mail.subject, mail.text, None, [to], headers=headers, connection=connection)
    try:
        connection.open()
        message.send()
    except (OSError, ValueError) as error:  # ValueError: an address that no header can hold
        log.warning("mail.send_failed", extra={"mail_id": mail.pk, "attempt": mail.attempts})
        commands.record_unsent(mail=mail, error=f"{type(error).__name__}: {error}")
        connection.close()  # a broken connection would fail every mail after this one
        return
    commands.record_sent(mail_id=mail.pk)
