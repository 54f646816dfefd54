"""L1, L2, L3: what an attacker sends can neither forge a log line, nor leave a secret in one, nor make metrics grow."""

import json
import re
from itertools import chain
from uuid import uuid4

import pytest

from tests.security.shop import PASSWORD, Shop, until

_SERVICES = ("users", "products", "inventory", "orders", "payments", "notifications", "gateway")
_INJECTIONS = (
    "%0d%0a{%22level%22:%22error%22,%22event%22:%22forged%22}", "%0a", "%1b[2J", "%22},{%22event%22:%22forged%22",
    "%E2%80%A8{%22event%22:%22forged%22}", "%C2%85forged", "%E2%80%AEdegrof", "%00", "%FF%FE", "%ED%A0%80", "a" * 5000,
    "%5C%22%7D",
)  # fmt: skip


def logged(shop: Shop, name: str) -> list[str]:
    """The lines of a service's log; a line ends at a line feed and nowhere else."""
    text = "".join(path.read_bytes().decode() for path in sorted((shop.data / "logs").glob(f"{name}.log*")))
    return text.split("\n")[:-1]


def settle(shop: Shop, *, gateway_too: bool = False) -> None:
    """Wait until what was sent so far is in the services' logs; the gateway writes its own down every ten seconds."""
    mark = f"mark-{uuid4().hex}"
    for name in _SERVICES[:-1]:
        shop.straight_at(name).ask("GET", "/settle", headers={"X-Correlation-ID": mark})
    shop.ask("GET", "/settle", headers={"X-Correlation-ID": mark})
    for name in _SERVICES if gateway_too else _SERVICES[:-1]:
        until(lambda name=name: any(mark in line for line in logged(shop, name)))  # type: ignore[misc]


def test_each_event_is_one_line_of_json_whatever_was_sent(shop: Shop) -> None:
    for text in _INJECTIONS:
        for wire in (shop.wire, shop.straight_at("users")):
            wire.request(f"/api/v1/users/{text}/?q={text}".encode(), headers=[f"User-Agent: {text}".encode()])
            wire.request(b"/api/v1/users/me/", method=b"BREW-%0a",
                         headers=[f"X-Correlation-ID: {text}".encode(), f"traceparent: {text}".encode()])  # fmt: skip
        wire.request(b"/api/v1/users/me/", headers=[b'User-Agent: \x1b[2J\xff\xe2\x80\xa8"}', b'X-Request-ID: "}{"'])
        shop.ask("POST", "/api/v1/auth/token/", body={"email": f"x\n{text}", "password": "forged\r\n{}"})
    settle(shop)
    for name in _SERVICES:
        for line in logged(shop, name):
            event = json.loads(line)
            assert event["event"] != "forged"
            assert event.get("level") in (None, "info", "warning", "error", "debug"), line
            # The gateway notes what the client sent, escaped; its request id is the one that services share.
            own = event.get("request_id" if name == "gateway" else "correlation_id") or ""
            assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}|", own), line
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", line), line


def test_the_verb_that_shows_logs_shows_no_forged_line(shop: Shop) -> None:
    shop.wire.request(b"/api/v1/users/%E2%80%A8%7B%22event%22%3A%22forged%22%7D/x")
    settle(shop)
    for line in shop.bandstand("logs", "users").splitlines():
        assert not line.lstrip().startswith('{"event":"forged"')


def canaries() -> dict[str, str]:
    """A secret of each kind, recognisable wherever it turns up."""
    unique = uuid4().hex
    return {"password": f"Canary-{unique}-Pw1!", "token": f"eyJhbGciOiJFUzI1NiJ9.{unique}.{unique}",
            "card": "4111111111111111", "refresh": f"canary{unique}"}  # fmt: skip


def test_no_secret_reaches_a_log(shop: Shop) -> None:
    secret = canaries()
    email = f"canary-{uuid4().hex}@example.com"
    for wire in (shop.wire, shop.straight_at("users")):
        for body in ({"email": email, "password": secret["password"]}, {"password": [secret["password"]], "x": secret},
                     {"token": secret["token"], "card": secret["card"]}, {"refresh": secret["refresh"]}):  # fmt: skip
            for path in (
                "/api/v1/auth/token/",
                "/api/v1/auth/token/refresh/",
                "/api/v1/users/",
                "/api/v1/auth/token/verify/",
            ):
                wire.ask("POST", f"/api/v1/{path}", body=body)
                wire.ask("POST", f"/api/v1/{path}", body=json.dumps(body).encode()[:-1])
        wire.ask(
            "GET",
            f"/api/v1/users/me/?access_token={secret['token']}&password={secret['password']}",
            token=secret["token"],
        )
        wire.ask(
            "GET", f"/api/v1/users/{secret['card']}/{secret['token']}", headers={"Cookie": f"s={secret['refresh']}"}
        )
        wire.ask("GET", f"/api/v1/users/password={secret['password']}/", headers={"X-Api-Key": secret["refresh"]})
        wire.ask("GET", "/api/v1/users/me/", headers={"User-Agent": f"card {secret['card']} Bearer {secret['token']}"})
        wire.ask("GET", "/api/v1/users/me/", headers={"Authorization": f"Basic {secret['refresh']}"})
    change = {"old_password": secret["password"], "new_password": secret["password"] + "2"}
    shop.ask("POST", f"/api/v1/users/{shop.ben.id}/change_password/", body=change, token=shop.ben.token)
    settle(shop, gateway_too=True)
    held = "\n".join(chain.from_iterable(logged(shop, name) for name in (*_SERVICES, "provider", "seed")))
    kept = [shop.staff.token, shop.anna.token, PASSWORD, "staff-Passw0rd!", email, shop.anna.email, shop.mint.jwk["d"]]
    for value in (*secret.values(), *kept):
        assert value not in held, value
    for key in (shop.data / "keys").glob("*.secret"):
        assert key.read_text() not in held


def test_an_error_never_repeats_a_secret(shop: Shop) -> None:
    secret = canaries()
    for path in ("/api/v1/auth/token/", "/api/v1/users/", "/api/v1/users/password_reset/confirm/"):
        for body in ({"password": [secret["password"]]}, {"token": {"a": secret["token"]}}, {"email": 1, **secret}):
            assert not any(value in shop.ask("POST", path, body=body).body.decode() for value in secret.values())


@pytest.mark.parametrize("service", ["users", "orders"])
def test_what_a_client_makes_up_makes_no_series(shop: Shop, service: str) -> None:
    straight = shop.straight_at(service)
    before = series(shop, service)
    for number in range(1000):
        unique = uuid4().hex
        method = f"M{unique[:6].upper()}" if number % 10 == 0 else "GET"
        path = f"/api/v1/{service}/{unique}/" if number % 2 else f"/{unique}"
        straight.ask(method, path, headers={"User-Agent": unique, "X-Correlation-ID": unique}, token=unique)
    assert series(shop, service) - before < 40


def series(shop: Shop, service: str) -> int:
    """How many series the service exports."""
    text = shop.straight_at(service).ask("GET", "/metrics").body.decode()
    return sum(1 for line in text.splitlines() if line and not line.startswith("#"))
