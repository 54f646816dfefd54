"""From an Authorization header to the principal it proves, with a bounded cache of tokens already verified."""

import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jwt
from django.utils.module_loading import import_string

from bandstand import clock
from bandstand.auth import revocation
from bandstand.auth.config import AuthConfig
from bandstand.auth.keys import KeyRing, KeySource, TrustFile
from bandstand.auth.remote_keys import RemoteKeys
from bandstand.auth.tokens import (
    LONGEST_TOKEN_BYTES,
    Claims,
    Profile,
    TokenRefused,
    service_profile,
    user_profile,
    verify,
)
from bandstand.config import identity, section
from bandstand.context import Principal
from bandstand.errors import NotAuthenticated, PermissionDenied
from bandstand.observability.metrics import counter

__all__ = ["Verifier", "authenticate_service", "authenticate_user", "key_ring", "service_verifier", "user_verifier"]

log = logging.getLogger(__name__)

_LONGEST_CACHED = timedelta(seconds=60)
_refusals = counter("bandstand_auth_refusals_total", "Tokens refused, by what was wrong with them.", ("reason",))


class _Verified(NamedTuple):
    principal: Principal
    until: datetime
    issued_at: float


class Verifier:
    """Tokens of one profile. A hit in the cache costs a hash, and still asks the clock and the revocations.

    Only the hash of a token is kept, so a dump of memory shows no usable token. The cache holds *size* entries.
    """

    def __init__(self, profile: Profile, keys: KeySource, *, kind: str, size: int = 4096) -> None:
        self._profile = profile
        self._keys = keys
        self._kind = kind
        self._size = size
        self._seen: dict[bytes, _Verified] = {}
        self._lock = threading.Lock()

    def principal(self, token: str) -> Principal:
        """The principal that *token* proves. Raises TokenRefused."""
        if len(token) > LONGEST_TOKEN_BYTES:
            raise TokenRefused("size")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        entry = self._seen.get(digest)
        if entry is None or entry.until <= clock.now():
            entry = self._admit(token, digest)
        principal = entry.principal
        if revocation.is_revoked(user_id=principal.id, session=principal.session, issued_at=entry.issued_at):
            raise TokenRefused("revoked")
        return principal

    def _admit(self, token: str, digest: bytes) -> _Verified:
        claims = verify(token, profile=self._profile, keys=self._keys)
        expires = datetime.fromtimestamp(claims.expires_at, UTC)
        entry = _Verified(
            principal=self._principal_of(claims),
            until=min(expires, clock.now() + _LONGEST_CACHED),
            issued_at=claims.issued_at,
        )
        with self._lock:
            if len(self._seen) >= self._size:
                for oldest in list(self._seen)[: max(1, self._size // 4)]:
                    del self._seen[oldest]
            self._seen[digest] = entry
        return entry

    def _principal_of(self, claims: Claims) -> Principal:
        return Principal(
            id=claims.subject,
            kind=self._kind,
            roles=claims.roles,
            scopes=claims.scopes,
            session=claims.session,
            on_behalf_of=claims.on_behalf_of,
        )


def authenticate_user(header: str | None) -> Principal | None:
    """The user that the value of an Authorization header proves, or None when there is no such header.

    Raises NotAuthenticated, always with the same sentence, when the token is malformed, refused or a service's.
    """
    if header is None:
        return None
    return _authenticated(header, user_verifier())


def authenticate_service(headers: Mapping[str, str], *, callers: Collection[str]) -> Principal:
    """The calling service, which must be one of *callers*; `on_behalf_of` names the user it acts for, if any.

    Raises NotAuthenticated without a service's valid token for this service, PermissionDenied for another caller.
    """
    principal = _authenticated(headers.get("Authorization") or "", service_verifier())
    if principal.id not in callers:
        log.warning("auth.caller_refused", extra={"caller": principal.id})
        raise PermissionDenied
    return principal


def _authenticated(header: str, verifier: Verifier) -> Principal:
    scheme, _, token = header.partition(" ")
    try:
        return verifier.principal(token if scheme.lower() == "bearer" else "")
    except TokenRefused as error:
        _refusals.labels(error.reason).inc()
        log.info("auth.token_refused", extra={"reason": error.reason})
        raise NotAuthenticated from error


class _UserKeys:
    """The trust file where it names the issuer, else (or for keys it lacks, if a URL is set) what is published."""

    def __init__(self, config: AuthConfig, trust: TrustFile | None) -> None:
        self._trust = trust
        self._has_url = bool(config.jwks_url)
        self._published = RemoteKeys(partial(_published_at, config), issuer=config.issuer)

    def find(self, *, issuer: str, kid: str) -> jwt.PyJWK | None:
        if self._trust is not None and self._trust.knows(issuer):
            key = self._trust.find(issuer=issuer, kid=kid)
            if key is not None or not self._has_url:
                return key
        return self._published.find(issuer=issuer, kid=kid)


def _published_at(config: AuthConfig) -> tuple[str, ...]:
    if config.jwks_url:
        return (config.jwks_url,)
    locate: Callable[[str], tuple[str, ...]] = import_string(config.locator)
    return tuple(f"{base}/.well-known/jwks.json" for base in locate(config.issuer))


class _NoKeys:
    """Without a trust file no service is known, so none is believed."""

    def find(self, *, issuer: str, kid: str) -> None:
        """Nothing."""


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What one AUTH section amounts to; made once per section."""

    config: AuthConfig
    service: str
    ring: KeyRing
    users: Verifier
    services: Verifier


def key_ring() -> KeyRing:
    """This service's own keys; an empty ring where `AUTH_SIGNING_KEY` is not set."""
    return _parts().ring


def user_verifier() -> Verifier:
    """The verifier of users' access tokens."""
    return _parts().users


def service_verifier() -> Verifier:
    """The verifier of tokens that other services made for this one."""
    return _parts().services


_made: _Parts | None = None


def _parts() -> _Parts:
    global _made  # noqa: PLW0603 - kept until a section changes
    config, service = section(AuthConfig), identity().name
    made = _made
    if made is None or made.config is not config or made.service != service:
        made = _made = _parts_of(config, service)
    return made


def _parts_of(config: AuthConfig, service: str) -> _Parts:
    ring = KeyRing.from_json(config.private_keys)
    trust = TrustFile(Path(config.trust_file)) if config.trust_file else None
    return _Parts(
        config=config,
        service=service,
        ring=ring,
        users=Verifier(
            user_profile(issuer=config.issuer, audience=config.audience),
            ring if service == config.issuer else _UserKeys(config, trust),
            kind="user",
            size=config.cache_size,
        ),
        services=Verifier(
            service_profile(audience=service), trust or _NoKeys(), kind="service", size=config.cache_size
        ),
    )
