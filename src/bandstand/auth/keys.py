"""Keys: made, kept in a ring that overlaps while one succeeds another, and found again by issuer and key id."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from bandstand.resilience.watched_file import WatchedFile

__all__ = ["KeyRing", "KeySource", "TrustFile", "generate_key", "parse_jwks", "public_jwk", "thumbprint"]

_PUBLIC_MEMBERS = {"EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x"), "RSA": ("kty", "n", "e")}
_ALGORITHMS = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA", ("RSA", ""): "RS256"}
_LONGEST_KID = 128

_Trust = dict[str, dict[str, jwt.PyJWK]]


class KeySource(Protocol):
    """Where a verifier finds the public key that an issuer signs with."""

    def find(self, *, issuer: str, kid: str) -> jwt.PyJWK | None:
        """The key of exactly this id (compared as an opaque string), or None."""


def generate_key() -> dict[str, Any]:
    """Make a private ES256 JWK; its `kid` is the thumbprint of RFC 7638. Needs no Django settings."""
    jwk: dict[str, Any] = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    return {**jwk, "alg": "ES256", "use": "sig", "kid": thumbprint(jwk)}


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The base64url SHA-256 thumbprint of a key (RFC 7638)."""
    members = {name: jwk[name] for name in sorted(_PUBLIC_MEMBERS[jwk["kty"]])}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def public_jwk(jwk: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a key that may be shown, whatever else the mapping holds. Raises ValueError for an unfit key."""
    try:
        kept = {name: jwk[name] for name in _PUBLIC_MEMBERS[jwk["kty"]]}
        algorithm = _ALGORITHMS[jwk["kty"], jwk.get("crv", "")]
        kid = jwk["kid"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"the key lacks {error} or is of no supported type") from None
    if not isinstance(kid, str) or not 1 <= len(kid) <= _LONGEST_KID:
        raise ValueError("the key id must be a string of 1 to 128 characters")
    return {**kept, "alg": algorithm, "use": "sig", "kid": kid}


def parse_jwks(jwks: object) -> dict[str, jwt.PyJWK]:
    """Read a public JWKS into key id → key. Raises ValueError for anything else; private parts are dropped."""
    members = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(members, list):
        raise ValueError("it is no JWKS: the list `keys` is missing")  # noqa: TRY004 - callers treat it as bad data
    return {key.key_id: key for key in map(_public_key, members) if key.key_id}


def _public_key(jwk: Mapping[str, Any]) -> jwt.PyJWK:
    try:
        return jwt.PyJWK.from_dict(public_jwk(jwk))
    except (jwt.PyJWTError, TypeError) as error:
        raise ValueError(f"a key of the set is not usable: {error}") from error


class KeyRing:
    """This service's private keys: the first signs, all verify and are published.

    To rotate: put the new key second, wait until every verifier has it, make it first, drop the old one after the
    longest lifetime of a token.
    """

    def __init__(self, keys: Iterable[Mapping[str, Any]]) -> None:
        private = list(keys)
        try:
            self._private = [jwt.PyJWK.from_dict(dict(jwk), algorithm=public_jwk(jwk)["alg"]) for jwk in private]
        except jwt.PyJWTError as error:
            raise ValueError(f"the signing key is not usable: {error}") from error
        if not all("d" in jwk for jwk in private):
            raise ValueError("the signing key has no private part")
        self._jwks = {"keys": [public_jwk(jwk) for jwk in private]}
        self._public = parse_jwks(self._jwks)

    @classmethod
    def from_json(cls, text: str) -> "KeyRing":
        """Read a private JWK or JWKS; an empty text gives an empty ring. Raises ValueError without showing the key."""
        if not text.strip():
            return cls(())
        try:
            data = json.loads(text)
        except ValueError:
            raise ValueError("the signing key is no JSON") from None
        if not isinstance(data, dict):
            raise ValueError("the signing key is neither a JWK nor a JWKS")  # noqa: TRY004 - bad data, not a bad type
        return cls(data.get("keys", (data,)))

    def __bool__(self) -> bool:
        return bool(self._private)

    @property
    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys, as they are published."""
        return self._jwks

    def find(self, *, issuer: str, kid: str) -> jwt.PyJWK | None:  # noqa: ARG002 - the ring belongs to one issuer
        """The public key of this id, or None."""
        return self._public.get(kid)

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """Sign *claims* with the current key. Raises LookupError when the ring is empty."""
        if not self._private:
            raise LookupError("AUTH_SIGNING_KEY is not set: this service cannot issue tokens")
        key = self._private[0]
        return jwt.encode(dict(claims), key, key.algorithm_name, headers={"kid": key.key_id, "typ": typ})


class TrustFile:
    """The identity keys of the fleet's services, read from a file that is replaced when a key is added or removed."""

    def __init__(self, path: Path) -> None:
        self._file: WatchedFile[_Trust] = WatchedFile(path, parse=_parse_trust, empty={}, every=timedelta(seconds=1))

    def knows(self, issuer: str) -> bool:
        """Whether the file names *issuer* at all."""
        return issuer in self._file.get()

    def find(self, *, issuer: str, kid: str) -> jwt.PyJWK | None:
        """The key *kid* of *issuer*, or None."""
        return self._file.get().get(issuer, {}).get(kid)


def _parse_trust(content: bytes) -> _Trust:
    data = json.loads(content)
    if not isinstance(data, dict):
        raise ValueError("the trust file is no JSON object")  # noqa: TRY004 - bad data, not a bad type
    return {name: parse_jwks(jwks) for name, jwks in data.items()}
