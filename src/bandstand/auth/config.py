"""What a service must know to recognise and to issue tokens."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from bandstand.config import Secret

__all__ = ["ACCESS_LIFETIME", "LEEWAY", "SERVICE_LIFETIME", "AuthConfig"]

ACCESS_LIFETIME = timedelta(minutes=15)
SERVICE_LIFETIME = timedelta(minutes=5)
LEEWAY = timedelta(seconds=30)
"""How far two hosts' clocks may differ."""


@dataclass(frozen=True, kw_only=True)
class AuthConfig:
    """The section `AUTH`. `signing_key` is this service's private JWK, or a JWKS whose first key signs."""

    section: ClassVar[str] = "AUTH"

    signing_key: Secret | str = ""
    trust_file: Path | str = ""
    """JSON: service name to the JWKS of its identity keys."""
    jwks_url: str = ""
    """Where the issuer of user tokens publishes its keys; default: discovered, when the trust file does not name it."""
    locator: str = "bandstand.discovery.resolve"
    """Dotted path of the function that finds the issuer's base URLs: a setting, for auth and discovery are peers."""
    issuer: str = "users"
    audience: str = "bandstand"
    cache_size: int = 4096

    @property
    def private_keys(self) -> str:
        """The text of `signing_key`: hand it straight to `keys.KeyRing`."""
        return self.signing_key.reveal() if isinstance(self.signing_key, Secret) else self.signing_key
