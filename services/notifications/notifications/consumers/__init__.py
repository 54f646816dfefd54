"""What notifications writes of the events of others, and the loop that sends it."""

from bandstand.lifecycle import register_loop
from notifications.consumers import facts
from notifications.consumers.mailer import MailerLoop

__all__ = ["MailerLoop", "facts"]

register_loop("mailer", MailerLoop)
