"""The facts users publishes."""

from datetime import datetime
from uuid import UUID

from bandstand.events import Event


class UserRegistered(Event, name="users.user_registered.v1", subject="user_id"):
    """Somebody has joined."""

    user_id: UUID
    email: str
    username: str


class UserUpdated(Event, name="users.user_updated.v1", subject="user_id"):
    """Somebody has changed."""

    user_id: UUID
    email: str
    username: str


class UserDeactivated(Event, name="users.user_deactivated.v1", subject="user_id"):
    """Somebody may no longer sign in."""

    user_id: UUID


class UserActivated(Event, name="users.user_activated.v1", subject="user_id"):
    """Somebody may sign in again."""

    user_id: UUID


class AccessRevoked(Event, name="users.access_revoked.v1", subject="user_id"):
    """Access tokens of a user, or of one session, issued before a moment are worthless; they all expire by `until`."""

    user_id: UUID
    session: str | None
    issued_before: datetime
    until: datetime
