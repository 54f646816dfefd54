"""The loop that sends what users has to say by mail, above all the links to verify an address or reset a password.

Such a link is a secret: it is made while the mail is written, and neither stored nor published as an event.
"""

import logging
import threading

from django.core.mail import EmailMessage

from bandstand.lifecycle import Loop
from users import commands, queries
from users.config import users_config
from users.models import LinkMail

log = logging.getLogger(__name__)

_BATCH = 20
_IDLE_SECONDS = 1.0
_MOST_ATTEMPTS = 10
"""Within three hours: whoever still waits for a link asks again."""

_TEXTS = {
    LinkMail.Purpose.VERIFY: ("Verify your address", "Use this token, it is good for {hours} hours:\n\n{token}\n"),
    LinkMail.Purpose.RESET: ("Reset your password", "Use this token, it is good for {hours} hours:\n\n{token}\n"),
    LinkMail.Purpose.ADDRESS_TAKEN: (
        "You have an account already",
        "Somebody, probably you, tried to join with this address. It has an account; its password can be reset.\n",
    ),
    LinkMail.Purpose.USERNAME_TAKEN: (
        "Please choose another username",
        "Somebody, probably you, tried to join with this address. The username is taken: no account was made.\n",
    ),
}


class LinkMailLoop(Loop):
    """Send what is due, at least once."""

    name = "link-mails"

    def run(self, stop: threading.Event) -> None:
        """Look every second until *stop*; one mail is the unit of work."""
        while not stop.wait(_IDLE_SECONDS):
            with self.iteration():
                for mail in commands.claim_link_mails(limit=_BATCH):
                    if stop.is_set():  # the rest is claimed again when the lease runs out
                        break
                    self.beat()
                    send(mail)


def send(mail: LinkMail) -> None:
    """Send one claimed mail, if it still concerns anybody; a failure is noted and waits for the next claim."""
    message = _message(mail)
    if message is not None:
        try:
            message.send()
        except (OSError, ValueError) as error:  # ValueError: an address that no header can hold
            _note_failure(mail, error)
            return
    commands.settle_link_mail(mail_id=mail.pk)


def _message(mail: LinkMail) -> EmailMessage | None:
    user = queries.user_by_email(mail.email)
    hours, token = round(users_config().link_lifetime.total_seconds() / 3600), ""
    if mail.purpose in (LinkMail.Purpose.VERIFY, LinkMail.Purpose.RESET):
        verified = user is not None and user.is_verified
        if user is None or not user.is_active or (verified and mail.purpose == LinkMail.Purpose.VERIFY):
            return None
        token = commands.link_token(user, purpose=mail.purpose)
    subject, text = _TEXTS[LinkMail.Purpose(mail.purpose)]
    to, headers = user.email if user else mail.email, {"Message-ID": f"<{mail.pk}@users.bandstand>"}
    return EmailMessage(subject, text.format(hours=hours, token=token), None, [to], headers=headers)


def _note_failure(mail: LinkMail, error: Exception) -> None:
    facts = {"mail_id": mail.pk, "attempt": mail.attempts, "error": type(error).__name__}
    if mail.attempts < _MOST_ATTEMPTS:
        log.warning("link_mail.send_failed", extra=facts)
        return
    log.error("link_mail.given_up", extra=facts)
    commands.settle_link_mail(mail_id=mail.pk)
