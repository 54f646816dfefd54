"""What every service consumes: the news that somebody's access has ended."""

from datetime import datetime
from uuid import UUID

from bandstand.auth import revoke_session, revoke_user
from bandstand.events import Envelope, Event, consumer

__all__ = ["AccessRevoked", "end_access"]


class AccessRevoked(Event, name="users.access_revoked.v1"):
    """Tokens of a user, or of one session of theirs, are worthless from now on."""

    user_id: UUID
    session: str | None
    issued_before: datetime
    until: datetime


@consumer(AccessRevoked)
def end_access(event: AccessRevoked, _: Envelope) -> None:
    """Remember the revocation until the last token it concerns has expired."""
    if event.session is None:
        revoke_user(str(event.user_id), issued_before=event.issued_before, until=event.until)
    else:
        revoke_session(event.session, user_id=str(event.user_id), until=event.until)
