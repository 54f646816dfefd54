"""Tokens of the fleet's own keys, and what an attacker makes of them."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from jwt.algorithms import ECAlgorithm

from bandstand import clock

__all__ = ["Mint", "encoded", "joined"]

_ES256 = ECAlgorithm(ECAlgorithm.SHA256)


class Mint:
    """Makes tokens with the identity key of one service, as the fleet keeps it in its data folder."""

    def __init__(self, data: Path, service: str) -> None:
        self.service = service
        self.jwk: dict[str, Any] = json.loads((data / "keys" / f"{service}.jwk").read_text())
        self.key = cast("EllipticCurvePrivateKey", jwt.PyJWK.from_dict(self.jwk, algorithm="ES256").key)

    def header(self, **changes: Any) -> dict[str, Any]:
        """The header of an access token; a change to None leaves the member out."""
        return _changed({"alg": "ES256", "typ": "at+jwt", "kid": self.jwk["kid"]}, changes)

    def claims(self, user_id: str, **changes: Any) -> dict[str, Any]:
        """The claims of an access token of *user_id*; a change to None leaves the claim out."""
        now = int(clock.now().timestamp())
        times = {"iat": now, "exp": now + 900}
        made = {"iss": "users", "sub": user_id, "aud": "bandstand", **times, "jti": str(clock.uuid7()),
                "sid": str(clock.uuid7()), "roles": [], "scope": ""}  # fmt: skip
        return _changed(made, changes)

    def signed(self, header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes) -> str:
        """Sign exactly these, sound or not; bytes are taken as they are."""
        content = f"{encoded(header)}.{encoded(claims)}"
        return f"{content}.{_plain(_ES256.sign(content.encode(), self.key))}"

    def user(self, user_id: str, *, roles: Collection[str] = (), **changes: Any) -> str:
        """An access token of *user_id*."""
        return self.signed(self.header(), self.claims(user_id, roles=list(roles), **changes))

    def service_token(self, audience: str, **changes: Any) -> str:
        """A token of this service for *audience*."""
        now = int(clock.now().timestamp())
        claims = {"iss": self.service, "sub": self.service, "aud": audience, "iat": now, "exp": now + 300,
                  "jti": str(clock.uuid7()), "scope": ""}  # fmt: skip
        return self.signed(self.header(typ="service+jwt"), _changed(claims, changes))


def _changed(made: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def encoded(part: Mapping[str, Any] | bytes) -> str:
    """A part of a token: JSON unless it is bytes, in unpadded base64url."""
    return _plain(part if isinstance(part, bytes) else json.dumps(part).encode())


def joined(header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes, signature: bytes) -> str:
    """A token with this *signature*."""
    return f"{encoded(header)}.{encoded(claims)}.{_plain(signature)}"


def _plain(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
