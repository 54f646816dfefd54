"""What users does by itself: it sends the mails with secret links."""

from bandstand.lifecycle import register_loop
from users.consumers.link_mails import LinkMailLoop

__all__ = ["LinkMailLoop"]

register_loop("link-mails", LinkMailLoop)
