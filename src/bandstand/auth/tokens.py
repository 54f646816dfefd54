"""The strict profile of a token (RFC 8725, RFC 9068): what must be there, exactly how, and nothing dangerous beside.

PyJWT verifies the signature. Everything it would let through is refused here first: oversized tokens before any
decoding, repeated JSON members, keys that come with the token, claims that are missing or of another type.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt

from bandstand import clock
from bandstand.auth.config import ACCESS_LIFETIME, LEEWAY, SERVICE_LIFETIME
from bandstand.auth.keys import KeySource

__all__ = ["LONGEST_TOKEN_BYTES", "Claims", "Profile", "TokenRefused", "service_profile", "user_profile", "verify"]

LONGEST_TOKEN_BYTES = 8192
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_FORBIDDEN = frozenset({"jku", "x5u", "x5c", "jwk", "crit", "b64", "x5t", "x5t#S256", "enc", "zip"})
_JWS = jwt.PyJWS(algorithms=["ES256", "EdDSA", "RS256"])
_LONGEST_TEXT = 255
_LATEST_TIME = 253_402_300_799  # the last second of the year 9999, the last that a datetime can hold


class TokenRefused(Exception):
    """The token does not hold. The reason is for logs and metrics; a caller hears only that it was refused."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The rules for one kind of token. `issuer` None: whoever the keys know, and then the subject is the issuer."""

    typ: str
    audience: str
    issuer: str | None
    longest: timedelta
    leeway: timedelta = LEEWAY
    algorithms: frozenset[str] = frozenset({"ES256", "EdDSA"})
    """RS256 may be added for a foreign issuer only. Symmetric algorithms are never possible."""


def user_profile(*, issuer: str, audience: str) -> Profile:
    """The rules for a user's access token."""
    return Profile(typ="at+jwt", issuer=issuer, audience=audience, longest=ACCESS_LIFETIME)


def service_profile(*, audience: str) -> Profile:
    """The rules for a token that another service made for *audience*."""
    return Profile(typ="service+jwt", issuer=None, audience=audience, longest=SERVICE_LIFETIME)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claims:
    """What a verified token says. Times are seconds since 1970."""

    issuer: str
    subject: str
    token_id: str
    issued_at: float
    expires_at: int
    session: str | None
    roles: frozenset[str]
    scopes: frozenset[str]
    on_behalf_of: str | None


def verify(token: str, *, profile: Profile, keys: KeySource) -> Claims:
    """Check everything about *token*. Raises TokenRefused; costs one signature verification, no network of its own."""
    if len(token) > LONGEST_TOKEN_BYTES:
        raise TokenRefused("size")
    if _SHAPE.fullmatch(token) is None:
        raise TokenRefused("shape")
    head, body, signature = token.split(".")
    _segment(signature)
    header, claims = _object(_segment(head)), _object(_segment(body))
    kid = _header(header, profile)
    key = keys.find(issuer=_issuer(claims, profile), kid=kid)
    if key is None:
        raise TokenRefused("kid")
    if key.algorithm_name != header["alg"]:
        raise TokenRefused("alg")
    try:
        _JWS.decode_complete(token, key=key, algorithms=[key.algorithm_name])
    except jwt.PyJWTError as error:
        raise TokenRefused("signature") from error
    return _claims(claims, profile)


def _segment(text: str) -> bytes:
    """Decode base64url in its one canonical form, so that a token has only one spelling."""
    try:
        decoded = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise TokenRefused("encoding") from None
    if urlsafe_b64encode(decoded).rstrip(b"=") != text.encode():
        raise TokenRefused("encoding")
    return decoded


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise TokenRefused("json") from None
    if not isinstance(found, dict):
        raise TokenRefused("json")
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is repeated")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _header(header: Mapping[str, Any], profile: Profile) -> str:
    """Check the header and return the key id."""
    if not _FORBIDDEN.isdisjoint(header):
        raise TokenRefused("header")
    if header.get("typ") != profile.typ:
        raise TokenRefused("typ")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in profile.algorithms:
        raise TokenRefused("alg")
    if not isinstance(kid, str) or not kid:
        raise TokenRefused("kid")
    return kid


def _issuer(claims: Mapping[str, Any], profile: Profile) -> str:
    """The issuer whose keys may verify this token; checked before the key is looked up."""
    issuer = _text(claims, "iss")
    if profile.issuer is not None and issuer != profile.issuer:
        raise TokenRefused("iss")
    if profile.issuer is None and _text(claims, "sub") != issuer:
        raise TokenRefused("sub")
    return issuer


def _claims(claims: Mapping[str, Any], profile: Profile) -> Claims:
    if _text(claims, "aud") != profile.audience:
        raise TokenRefused("aud")
    issued, expires = _times(claims, profile)
    token_id = _text(claims, "jti")
    return Claims(
        issuer=_text(claims, "iss"),
        subject=_text(claims, "sub"),
        token_id=token_id,
        issued_at=_moment_of(token_id, issued),
        expires_at=expires,
        session=_text(claims, "sid") if "sid" in claims else None,
        roles=frozenset(_texts(claims, "roles")),
        scopes=frozenset(_optional_text(claims, "scope").split()),
        on_behalf_of=_actor(claims),
    )


def _times(claims: Mapping[str, Any], profile: Profile) -> tuple[int, int]:
    issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
    now, leeway = clock.now().timestamp(), profile.leeway.total_seconds()
    if not 0 < expires - issued <= profile.longest.total_seconds():
        raise TokenRefused("lifetime")
    if expires + leeway <= now:
        raise TokenRefused("exp")
    if issued - leeway > now:
        raise TokenRefused("iat")
    if "nbf" in claims and _seconds(claims, "nbf") - leeway > now:
        raise TokenRefused("nbf")
    return issued, expires


def _moment_of(token_id: str, issued: int) -> float:
    """The issue time to the millisecond, when the token id is a UUIDv7 of that second.

    Revocation needs it: by whole seconds, a session opened right after an account came back would still be refused.
    """
    try:
        parsed = UUID(token_id)
    except ValueError:
        return float(issued)
    exact = (parsed.int >> 80) / 1000
    return exact if parsed.version == 7 and int(exact) == issued else float(issued)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_TEXT:
        raise TokenRefused(name)
    return value


def _optional_text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise TokenRefused(name)
    return value


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    value = claims.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TokenRefused(name)
    return value


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= _LATEST_TIME:  # bool is an int, and must not pass for one
        raise TokenRefused(name)
    return value


def _actor(claims: Mapping[str, Any]) -> str | None:
    if "act" not in claims:
        return None
    actor = claims["act"]
    if not isinstance(actor, dict):
        raise TokenRefused("act")
    return _text(actor, "sub")
