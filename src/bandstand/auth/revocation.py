"""Access ended before its time: revoked sessions and users, known to this process within seconds.

The rows come from the issuer's event; each process holds a snapshot of those that still matter (at most fifteen
minutes' worth) and reads it again when it is five seconds old, so a verified token in a cache dies with its session.
"""

import asyncio
import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime

from bandstand import clock
from bandstand.auth.config import ACCESS_LIFETIME, LEEWAY

__all__ = ["is_revoked", "refresh", "revoke_session", "revoke_user", "revoked_until"]

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class _Snapshot:
    """`users` maps a user to the moment before which tokens are void; `sessions` are void whenever issued."""

    users: dict[str, float] = field(default_factory=dict)
    sessions: frozenset[tuple[str, str]] = frozenset()


class _Revocations:
    def __init__(self) -> None:
        self.snapshot = _Snapshot()
        self.look_at = 0.0
        self.lock = threading.Lock()


_state = _Revocations()


def is_revoked(*, user_id: str, session: str | None, issued_at: float) -> bool:
    """Whether a token of *user_id*, issued at *issued_at* in *session*, has been ended."""
    if clock.monotonic() >= _state.look_at:
        _look_again()
    snapshot = _state.snapshot
    if session is not None and (user_id, session) in snapshot.sessions:
        return True
    return bool(snapshot.users) and issued_at < snapshot.users.get(user_id, 0.0)


def revoked_until() -> datetime:
    """The moment when every access token that exists now has expired by itself: how long a revocation must live."""
    return clock.now() + ACCESS_LIFETIME + 2 * LEEWAY


def revoke_session(session: str, *, user_id: str, until: datetime) -> None:
    """End the access of one session. Idempotent; in force here after the commit, in other processes within 5 s."""
    _write(user_id=user_id, session=session, issued_before=clock.now(), until=until)


def revoke_user(user_id: str, *, issued_before: datetime, until: datetime) -> None:
    """End every access token of a user that was issued before a moment. Idempotent, as `revoke_session`."""
    _write(user_id=user_id, session="", issued_before=issued_before, until=until)


def _write(*, user_id: str, session: str, issued_before: datetime, until: datetime) -> None:
    from django.db import transaction  # noqa: PLC0415 - tokens can be verified without a database
    from django.db.models.functions import Greatest  # noqa: PLC0415

    from bandstand.auth.models import RevokedSession  # noqa: PLC0415

    with transaction.atomic():
        RevokedSession.objects.filter(until__lt=clock.now()).delete()
        row, created = RevokedSession.objects.get_or_create(
            user_id=user_id, session=session, defaults={"issued_before": issued_before, "until": until}
        )
        if not created:  # an older event that arrives late must not shorten a newer one
            RevokedSession.objects.filter(pk=row.pk).update(
                issued_before=Greatest("issued_before", issued_before), until=Greatest("until", until)
            )
        transaction.on_commit(refresh)


def refresh() -> None:
    """Read the revocations again now. A database that does not answer leaves the last snapshot in force."""
    from django.apps import apps  # noqa: PLC0415
    from django.db import DatabaseError  # noqa: PLC0415

    _state.look_at = clock.monotonic() + _REFRESH_SECONDS
    if not apps.is_installed("bandstand.auth"):
        return
    try:
        _state.snapshot = _read()
    except DatabaseError as error:
        log.warning("auth.revocations_unreadable", extra={"error": type(error).__name__})


def _read() -> _Snapshot:
    from bandstand.auth.models import RevokedSession  # noqa: PLC0415

    users: dict[str, float] = {}
    sessions: set[tuple[str, str]] = set()
    rows = RevokedSession.objects.filter(until__gt=clock.now()).values_list("user_id", "session", "issued_before")
    for user_id, session, issued_before in rows:
        if session:
            sessions.add((user_id, session))
        else:
            users[user_id] = issued_before.timestamp()
    return _Snapshot(users=users, sessions=frozenset(sessions))


def _look_again() -> None:
    """Refresh by one thread only; the others go on with what is known."""
    if not _state.lock.acquire(blocking=False):
        return
    try:
        _state.look_at = clock.monotonic() + _REFRESH_SECONDS
        if _in_event_loop():  # a database may not be asked there
            threading.Thread(target=_refresh_apart, name="bandstand-revocations", daemon=True).start()
        else:
            refresh()
    finally:
        _state.lock.release()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _refresh_apart() -> None:
    from django.db import connection  # noqa: PLC0415

    try:
        refresh()
    finally:
        connection.close()
