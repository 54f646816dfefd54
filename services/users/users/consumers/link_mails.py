"""The loop that sends links to verify an address and to reset a password.

Such a link is a secret: it is made while the mail is written, and neither stored nor published as an event.
"""

import logging
import threading

from django.core.mail import EmailMessage

from bandstand.lifecycle import Loop
from users import commands
from users.models import LinkMail

log = logging.getLogger(__name__)

_BATCH = 20
_IDLE_SECONDS = 1.0
_SUBJECTS = {LinkMail.Purpose.VERIFY: "Verify your address", LinkMail.Purpose.RESET: "Reset your password"}


class LinkMailLoop(Loop):
    """Send what is due, at least once."""

    name = "link-mails"

    def run(self, stop: threading.Event) -> None:
        """Look every second until *stop*."""
        while not stop.wait(_IDLE_SECONDS):
            with self.iteration():
                for mail in commands.claim_link_mails(limit=_BATCH):
                    _send(mail)


def _send(mail: LinkMail) -> None:
    token = commands.link_token(mail.user, purpose=mail.purpose)
    headers = {"Message-ID": f"<{mail.pk}@users.bandstand>"}
    subject, text = _SUBJECTS[LinkMail.Purpose(mail.purpose)], f"Use this token, it is good for a day:\n\n{token}\n"
    try:
        EmailMessage(subject, text, None, [mail.user.email], headers=headers).send()
    except OSError:
        log.warning("link_mail.send_failed", extra={"mail_id": str(mail.pk), "attempt": mail.attempts + 1})
        return
    commands.settle_link_mail(mail_id=mail.pk)
