"""What notifications writes of the events of others, the loop that sends it, and what it misses."""

from bandstand.lifecycle import register_loop
from notifications.consumers import facts, journey
from notifications.consumers.mailer import MailerLoop

__all__ = ["MailerLoop", "facts", "journey"]

register_loop("mailer", MailerLoop)
