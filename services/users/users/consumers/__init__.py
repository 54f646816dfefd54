"""What users does by itself: it sends its mails and forgets sessions that are over."""

from bandstand.lifecycle import register_loop
from users.consumers.link_mails import LinkMailLoop
from users.consumers.sessions import SessionPurgeLoop

__all__ = ["LinkMailLoop", "SessionPurgeLoop"]

register_loop("link-mails", LinkMailLoop)
register_loop("sessions", SessionPurgeLoop)
