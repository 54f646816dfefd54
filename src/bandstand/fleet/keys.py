"""Identity keys and secrets of the fleet: made once, kept in the data folder, readable by the owner only."""

import json
import secrets
from collections.abc import Iterable
from typing import Any

from bandstand.fleet.layout import DataFolder, replace_file

__all__ = ["ensure_keys"]


def ensure_keys(data: DataFolder, services: Iterable[str]) -> None:
    """Give each service a signing key and a secret, and write the trust file that lists the public halves.

    Keys that exist are kept. Safe to repeat.
    """
    trust = {name: {"keys": [_public(_signing_key(data, name))]} for name in services}
    for name in (*(f"{service}.secret" for service in trust), "webhook.secret"):
        if not data.key(name).exists():
            replace_file(data.key(name), secrets.token_urlsafe(48), mode=0o600)
    replace_file(data.trust, json.dumps(trust))


def _signing_key(data: DataFolder, service: str) -> dict[str, Any]:
    path = data.key(f"{service}.jwk")
    if not path.exists():
        # Loading the cryptography takes longer than starting Envoy: only a first start pays for it.
        from bandstand.auth.keys import generate_key  # noqa: PLC0415

        replace_file(path, json.dumps(generate_key()), mode=0o600)
    jwk: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return jwk


def _public(jwk: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name in ("kty", "crv", "x", "y", "alg", "use", "kid")}
