"""J1 to J7: a token that is not exactly one of ours opens nothing, at the gateway or straight at a service."""

import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from bandstand import clock
from tests.security.forging import Mint, encoded, joined
from tests.security.shop import Shop
from tests.security.wire import assert_error

_KIDS: tuple[Any, ...] = (
    "../../../../dev/null", "/proc/self/environ", "' UNION SELECT 'k'--", "|id", "$(id)", "\x00", "k" * 10_000, 1, True,
    None, [], ["a"], {}, "http://127.0.0.1:1/jwks.json", "%00", "", " ", "\uff21", "*",
)  # fmt: skip


def public_forms(mint: Mint) -> Iterator[bytes]:
    """The public key as every text that a careless verifier might take for a shared secret."""
    public = mint.key.public_key()
    for encoding in (Encoding.PEM, Encoding.DER):
        yield public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    yield public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip()
    yield public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    yield json.dumps({name: mint.jwk[name] for name in ("kty", "crv", "x", "y")}).encode()
    yield b""


def without_signature(mint: Mint, claims: dict[str, Any]) -> Iterator[str]:
    """J1, J2: no algorithm, or another one."""
    for algorithm in ("none", "None", "nOnE", "", None, "NONE ", 1, ["ES256"]):
        header = {**mint.header(), "alg": algorithm}
        yield joined(header, claims, b"")
        yield joined(header, claims, b"x" * 64)
        yield mint.signed(header, claims)
    for secret in public_forms(mint):
        for name, digest in (("HS256", hashlib.sha256), ("HS512", hashlib.sha512)):
            content = f"{encoded(mint.header(alg=name))}.{encoded(claims)}"
            yield f"{content}.{encoded(hmac.new(secret, content.encode(), digest).digest())}"
    for algorithm in ("ES384", "ES256K", "RS256", "PS256", "EdDSA", "es256"):
        yield mint.signed(mint.header(alg=algorithm), claims)


def with_foreign_keys(mint: Mint, claims: dict[str, Any], url: str) -> Iterator[str]:
    """J3, J4: a key id that is an attack, and keys that come with the token."""
    for kid in _KIDS:
        yield mint.signed({**mint.header(), "kid": kid}, claims)
    own = ec.generate_private_key(ec.SECP256R1())
    jwk = ECAlgorithm.to_jwk(own.public_key(), as_dict=True)
    signer = ECAlgorithm(ECAlgorithm.SHA256)
    for extra in ({}, {"jku": url}, {"x5u": url}, {"jwk": jwk}, {"x5c": ["MIIB"]}, {"jku": url, "kid": "other"}):
        content = f"{encoded({**mint.header(), **extra})}.{encoded(claims)}"
        yield f"{content}.{encoded(signer.sign(content.encode(), own))}"
        if extra:
            yield mint.signed({**mint.header(), **extra}, claims)


def with_wrong_claims(mint: Mint, user_id: str) -> Iterator[str]:
    """J5, J6: times, audience, issuer, kind."""
    now = int(clock.now().timestamp())
    times: list[dict[str, Any]] = [
        {"iat": now - 931, "exp": now - 31}, {"nbf": now + 60}, {"iat": now + 3600, "exp": now + 4500}, {"exp": None},
        {"iat": None}, {"exp": str(now + 900)}, {"exp": 1e308}, {"exp": -1}, {"exp": now + 100_000}, {"exp": True},
        {"iat": -(2**70)}, {"exp": 2**70}, {"exp": [now + 900]}, {"nbf": "now"}, {"exp": now + 899.5},
        {"iat": now + 901},
    ]  # fmt: skip
    names: list[dict[str, Any]] = [
        {"aud": "orders"}, {"aud": ["bandstand"]}, {"aud": ["bandstand", "evil"]}, {"aud": None}, {"aud": "Bandstand"},
        {"iss": "users/"}, {"iss": "Users"}, {"iss": None}, {"iss": "orders"}, {"iss": ["users"]}, {"sub": None},
        {"sub": 1}, {"sub": ""}, {"sub": ["x"]}, {"jti": None}, {"jti": 1}, {"roles": "staff"}, {"roles": {"staff": 1}},
        {"roles": [["staff"]]}, {"scope": ["a"]}, {"sid": 7}, {"act": "x"},
    ]  # fmt: skip
    for changes in (*times, *names):
        yield mint.signed(mint.header(), mint.claims(user_id, **changes))
    for typ in ("JWT", "id+jwt", "rt+jwt", "service+jwt", "AT+JWT", "application/at+jwt", "", None, 1):
        yield mint.signed(mint.header(typ=typ), mint.claims(user_id))
    for text in (b'{"exp":NaN}', b"{}", b"[]", b"null", b"1", b'"a"', b"", b"\xff", b"{" * 3000, b"[" * 5000):
        yield mint.signed(mint.header(), text)


def malleated(mint: Mint, claims: dict[str, Any], sound: str) -> Iterator[str]:
    """J7: other spellings of a sound token, and what is hardly one."""
    head, body, signature = sound.split(".")
    doubled = json.dumps(claims).encode()[:-1] + b',"sub":"' + b"0" * 36 + b'"}'
    yield mint.signed(mint.header(), doubled)
    yield mint.signed(json.dumps(mint.header()).encode()[:-1] + b',"alg":"none"}', claims)
    for extra in (
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"enc": "A256GCM"},
        {"zip": "DEF"},
    ):
        yield mint.signed({**mint.header(), **extra}, claims)
    yield from (
        f"{head}.{body}",
        f"{sound}.",
        f"{sound}.{signature}",
        f".{sound}",
        f"{head}..{signature}",
        "..",
        ".",
        "a",
    )
    yield from (f"{sound}=", f"{sound}==", f"{sound}%3D", f"{sound}A", f" {sound} x", f"{sound},{sound}", f'"{sound}"')
    yield f"{head}.{body}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}"
    yield f"{head}.{body}.{signature.translate(str.maketrans('-_', '+/'))}=="
    yield joined(mint.header(), claims, bytes(64))
    yield joined(mint.header(), claims, b"\xff" * 64)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    yield joined(mint.header(), claims, order.to_bytes(32, "big") * 2)
    yield f"{encoded(mint.header())}.{'A' * 50_000}.{signature}"


def attacks(shop: Shop, url: str) -> dict[str, list[str]]:
    """All refused tokens by row; each would be staff if it were believed."""
    claims = shop.mint.claims(shop.staff.id, roles=["staff"])
    sound = shop.mint.signed(shop.mint.header(), claims)
    other = Mint(shop.data, "orders")
    return {
        "algorithm": [*without_signature(shop.mint, claims)],
        "keys": [*with_foreign_keys(shop.mint, claims, url)],
        "claims": [*with_wrong_claims(shop.mint, shop.staff.id)],
        "malleation": [*malleated(shop.mint, claims, sound)],
        "other service's key": [
            other.signed(other.header(), claims),
            other.signed({**other.header(), "kid": shop.mint.jwk["kid"]}, claims),
            other.signed(other.header(), {**claims, "iss": "orders"}),
            other.service_token("users"),
            other.service_token("bandstand"),
            shop.mint.service_token("orders"),
        ],
    }


@pytest.mark.parametrize("row", ["algorithm", "keys", "claims", "malleation", "other service's key"])
@pytest.mark.parametrize("service", ["users", "orders"])
def test_a_token_that_is_not_ours_is_refused(shop: Shop, row: str, service: str) -> None:
    path = {"users": "/api/v1/users/", "orders": "/api/v1/orders/statistics/"}[service]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        for token in attacks(shop, f"http://127.0.0.1:{listener.getsockname()[1]}/jwks.json")[row]:
            for wire in (shop.wire, shop.straight_at(service)):
                answer = wire.ask("GET", path, token=token)
                assert answer.status == 401 or (answer.status in (400, 413) and len(token) > 8000), (token, answer)
                assert_error(answer) if answer.body else None
        with pytest.raises(BlockingIOError):  # nobody fetched a key from where the token said
            listener.accept()


def test_the_sound_token_of_these_attacks_is_taken(shop: Shop) -> None:
    """Otherwise the refusals would show nothing."""
    token = shop.mint.user(shop.staff.id, roles=["staff"])
    for wire in (shop.wire, shop.straight_at("users")):
        assert wire.ask("GET", "/api/v1/users/", token=token).status == 200


_SCHEMES = (
    "", "Bearer", "Bearer ", "Basic c3RhZmY6c3RhZmY=", "Token x", "Bearer a b", "bearer", "Digest username=staff",
    "Bearer\tx", "Bearer \u00e9", "Negotiate x",
)  # fmt: skip


@pytest.mark.parametrize("header", _SCHEMES)
def test_another_scheme_is_no_token(shop: Shop, header: str) -> None:
    for wire in (shop.wire, shop.straight_at("users")):
        answer = wire.ask("GET", "/api/v1/users/me/", headers={"Authorization": header})
        assert answer.status == 401, answer
        assert_error(answer)


def test_a_token_in_query_body_or_cookie_is_none(shop: Shop) -> None:
    token = shop.staff.token
    for query in (f"?access_token={token}", f"?token={token}", f"?jwt={token}"):
        assert shop.ask("GET", f"/api/v1/users/me/{query}").status in (400, 401)
    assert shop.ask("GET", "/api/v1/users/me/", headers={"Cookie": f"access_token={token}"}).status == 401


def refused_service_tokens(shop: Shop) -> dict[str, str]:
    """Tokens of services that the route of users does not admit, or that are not service tokens."""
    orders = Mint(shop.data, "orders")
    now = int(clock.now().timestamp())
    return {
        "of a user": shop.anna.token,
        "of staff": shop.staff.token,
        "of a service that may not": shop.service_token("payments", audience="users"),
        "for another service": shop.service_token("orders", audience="payments"),
        "for everybody": shop.service_token("orders", audience="*"),
        "in the name of orders": Mint(shop.data, "payments").service_token("users", iss="orders", sub="orders"),
        "of two services": orders.service_token("users", sub="users"),
        "as an access token": orders.signed(orders.header(), orders.claims("orders", iss="orders", aud="users")),
        "too long": orders.service_token("users", exp=now + 3000),
        "expired": orders.service_token("users", iat=now - 900, exp=now - 700),
        "unsigned": joined(orders.header(typ="service+jwt", alg="none"), {"iss": "orders", "sub": "orders"}, b""),
    }


def test_an_internal_route_takes_the_token_of_its_caller_alone(shop: Shop) -> None:
    path = f"/internal/v1/users/{shop.anna.id}/"
    straight = shop.straight_at("users")
    for kind, token in {"none": "", **refused_service_tokens(shop)}.items():
        answer = straight.ask("GET", path, token=token)
        assert answer.status == (403 if kind == "of a service that may not" else 401), (kind, answer)
        assert_error(answer, service="users")


def test_a_refused_token_costs_little(shop: Shop) -> None:
    """The size is looked at first: no 50 kB are decoded, let alone verified."""
    token = f"{encoded(shop.mint.header())}.{'A' * 30_000}.AAAA"
    straight = shop.straight_at("users")
    fastest = min(timed(lambda: straight.ask("GET", "/api/v1/users/me/", token=token)) for _ in range(20))
    assert fastest < 0.05


def timed(work: Callable[[], object]) -> float:
    """Seconds that *work* took."""
    started = clock.monotonic()
    work()
    return clock.monotonic() - started


def test_published_keys_hold_no_private_part(shop: Shop) -> None:
    keys = shop.ask("GET", "/.well-known/jwks.json").data["keys"]
    assert keys
    for key in keys:
        assert set(key) == {"kty", "crv", "x", "y", "alg", "use", "kid"}
        jwt.PyJWK.from_dict(key)
