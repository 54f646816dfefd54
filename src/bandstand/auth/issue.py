"""Tokens of our own making: a user's access token, and a service's token for the one service it calls."""

import threading
from collections.abc import Collection
from typing import Any

from bandstand import clock
from bandstand.auth.config import ACCESS_LIFETIME, SERVICE_LIFETIME, AuthConfig
from bandstand.auth.principals import key_ring
from bandstand.config import identity, section

__all__ = ["can_issue", "issue_access_token", "service_token"]

_MOST_CACHED = 1024
_MARGIN_SECONDS = 60.0

_cached: dict[tuple[object, ...], tuple[str, float]] = {}
_lock = threading.Lock()


def can_issue() -> bool:
    """Whether this service has a signing key."""
    return bool(key_ring())


def issue_access_token(
    subject: str, *, session: str | None = None, roles: Collection[str] = (), scope: str = ""
) -> str:
    """Sign an access token for a user, good for 15 minutes wherever the audience is accepted."""
    config = section(AuthConfig)
    issued = int(clock.now().timestamp())
    claims: dict[str, Any] = {
        "iss": config.issuer,
        "aud": config.audience,
        "sub": subject,
        "iat": issued,
        "exp": issued + int(ACCESS_LIFETIME.total_seconds()),
        "jti": str(clock.uuid7()),
        "roles": sorted(roles),
        "scope": scope,
    }
    if session is not None:
        claims["sid"] = session
    return key_ring().sign(claims, typ="at+jwt")


def service_token(audience: str, *, scope: str = "", on_behalf_of: str | None = None) -> str:
    """A token that proves this service to *audience*, good for at least another minute; signed anew when needed."""
    ring, caller = key_ring(), identity().name
    key = (id(ring), caller, audience, scope, on_behalf_of)
    now = clock.now().timestamp()
    cached = _cached.get(key)
    if cached is not None and now < cached[1]:
        return cached[0]
    issued = int(now)
    expires = issued + int(SERVICE_LIFETIME.total_seconds())
    claims: dict[str, Any] = {
        "iss": caller,
        "sub": caller,
        "aud": audience,
        "iat": issued,
        "exp": expires,
        "jti": str(clock.uuid7()),
        "scope": scope,
    }
    if on_behalf_of is not None:
        claims["act"] = {"sub": on_behalf_of}
    token = ring.sign(claims, typ="service+jwt")
    with _lock:
        if len(_cached) >= _MOST_CACHED:
            _cached.clear()
        _cached[key] = token, expires - _MARGIN_SECONDS
    return token
