"""Tokens for tests: signed like real ones, by a key that the test's settings trust for every issuer asked for."""

import json
from collections.abc import Collection
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.test import override_settings

from bandstand import clock
from bandstand.auth import issue_access_token
from bandstand.auth.config import SERVICE_LIFETIME
from bandstand.auth.keys import generate_key, public_jwk
from bandstand.auth.principals import key_ring
from bandstand.config import identity

__all__ = ["service_headers", "trusting", "user_headers"]


def trusting(*issuers: str, folder: Path) -> override_settings:
    """Settings in which this service signs with a fresh key, trusted for itself and all *issuers*."""
    key = generate_key()
    names = {*issuers, settings.BANDSTAND.get("SERVICE", {}).get("NAME", "")}
    trust = folder / "trust.json"
    trust.write_text(json.dumps({name: {"keys": [public_jwk(key)]} for name in names}), encoding="utf-8")
    auth = {**settings.BANDSTAND.get("AUTH", {}), "SIGNING_KEY": json.dumps(key), "TRUST_FILE": trust}
    return override_settings(BANDSTAND={**settings.BANDSTAND, "AUTH": auth})


def user_headers(*, user_id: UUID | str, roles: Collection[str] = (), session: str | None = None) -> dict[str, str]:
    """The headers of a request by that user, for Django's and REST framework's test clients (`headers=`)."""
    return {"Authorization": f"Bearer {issue_access_token(str(user_id), roles=roles, session=session)}"}


def service_headers(caller: str) -> dict[str, str]:
    """The headers of a request by the service *caller* to this one."""
    issued = int(clock.now().timestamp())
    claims = {
        "iss": caller,
        "sub": caller,
        "aud": identity().name,
        "iat": issued,
        "exp": issued + int(SERVICE_LIFETIME.total_seconds()),
        "jti": str(clock.uuid7()),
        "scope": "",
    }
    return {"Authorization": f"Bearer {key_ring().sign(claims, typ='service+jwt')}"}
