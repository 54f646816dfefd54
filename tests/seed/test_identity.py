"""The articles' tokens, checklist 121-122 and 133: each fault shown on a few lines, and mended in ours."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.test import override_settings

from bandstand import auth
from bandstand.auth.keys import generate_key, public_jwk
from bandstand.errors import NotAuthenticated, PermissionDenied

KEYS = {name: generate_key() for name in ("users", "orders", "inventory", "payments")}


@contextmanager
def being(service: str, folder: Path) -> Iterator[None]:
    trust = folder / "trust.json"
    trust.write_text(json.dumps({name: {"keys": [public_jwk(key)]} for name, key in KEYS.items()}))
    section = {"SIGNING_KEY": json.dumps(KEYS[service]), "TRUST_FILE": trust}
    with override_settings(BANDSTAND={"SERVICE": {"NAME": service}, "AUTH": section}):
        yield


def test_122_no_other_service_can_make_a_users_token(tmp_path: Path) -> None:
    """With one shared secret, whoever can verify can also mint: any service makes an administrator."""
    secret = "the same SECRET_KEY in every service, as in the tutorials"
    minted_by_inventory = jwt.encode({"user_id": 1, "is_staff": True}, secret, "HS256")
    assert jwt.decode(minted_by_inventory, secret, ["HS256"])["is_staff"] is True
    with being("inventory", tmp_path):
        forged = auth.issue_access_token("1", roles=["staff"])
    with being("orders", tmp_path), pytest.raises(NotAuthenticated):
        auth.authenticate_user(f"Bearer {forged}")


@pytest.mark.django_db
def test_121_and_122_another_service_verifies_without_asking_anybody(tmp_path: Path) -> None:
    """The articles' opaque token lives in the users service's database; ours is checked where it is used."""
    with being("users", tmp_path):
        token = auth.issue_access_token("u-1")
    with being("orders", tmp_path):
        principal = auth.authenticate_user(f"Bearer {token}")
    assert principal is not None
    assert principal.id == "u-1"


def test_122_a_token_without_an_end_is_refused(tmp_path: Path) -> None:
    key = jwt.PyJWK.from_dict(KEYS["users"])
    claims = {"iss": "users", "aud": "bandstand", "sub": "u-1", "iat": 1, "jti": "j"}
    eternal = jwt.encode(claims, key, "ES256", headers={"kid": key.key_id, "typ": "at+jwt"})
    assert jwt.decode(eternal, key, ["ES256"], audience="bandstand")["sub"] == "u-1"
    with being("orders", tmp_path), pytest.raises(NotAuthenticated):
        auth.authenticate_user(f"Bearer {eternal}")


class NaiveMiddleware:
    """The article's check: one secret for all, compared where it is present, and nothing that asks for the result."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def admit(self, headers: dict[str, str]) -> dict[str, Any]:
        token = headers.get("X-Service-Token")
        if token:
            return {"is_service_request": token == self.secret}
        return {}


@pytest.mark.django_db
def test_133_a_service_token_names_its_caller_and_opens_one_door(tmp_path: Path) -> None:
    shared = "static-service-token"
    orders, payments = NaiveMiddleware(shared), NaiveMiddleware(shared)
    stolen = {"X-Service-Token": shared}
    assert orders.admit(stolen) == payments.admit(stolen) == {"is_service_request": True}
    assert "is_service_request" not in orders.admit({})
    with being("orders", tmp_path):
        headers = {"Authorization": f"Bearer {auth.service_token('payments')}"}
    with being("payments", tmp_path):
        assert auth.authenticate_service(headers, callers={"orders"}).id == "orders"
        with pytest.raises(PermissionDenied):
            auth.authenticate_service(headers, callers={"users"})
        with pytest.raises(NotAuthenticated):
            auth.authenticate_service({}, callers={"orders"})
        with pytest.raises(NotAuthenticated):
            auth.authenticate_service(stolen, callers={"orders"})
    with being("inventory", tmp_path), pytest.raises(NotAuthenticated):
        auth.authenticate_service(headers, callers={"orders"})
