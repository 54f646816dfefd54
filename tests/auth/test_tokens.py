"""The strict profile: one good token, and every way in which a bad one differs from it."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from time import process_time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from bandstand import clock
from bandstand.auth.keys import generate_key, parse_jwks, public_jwk
from bandstand.auth.tokens import Profile, TokenRefused, service_profile, user_profile, verify
from bandstand.testing.clock import HeldClock, held_clock

USERS = user_profile(issuer="users", audience="bandstand")
KEY = generate_key()
JWK = jwt.PyJWK.from_dict(KEY)
KEYS = parse_jwks({"keys": [public_jwk(KEY)]})
HEADER = {"kid": KEY["kid"], "typ": "at+jwt"}


class Source:
    """A key source that counts its questions."""

    def __init__(self, keys: dict[str, jwt.PyJWK]) -> None:
        self.keys = keys
        self.asked: list[tuple[str, str]] = []

    def find(self, *, issuer: str, kid: str) -> jwt.PyJWK | None:
        self.asked.append((issuer, kid))
        return self.keys.get(kid)


@pytest.fixture(autouse=True)
def held() -> Iterator[HeldClock]:
    with held_clock() as held:
        yield held


def claims(**changes: Any) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    good = {
        "iss": "users",
        "aud": "bandstand",
        "sub": "u-1",
        "sid": "s-1",
        "iat": now,
        "exp": now + 900,
        "jti": str(clock.uuid7()),
        "roles": ["staff"],
        "scope": "orders:read orders:write",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not ...}


def signed(payload: dict[str, Any] | None = None, *, key: Any = JWK, alg: str = "ES256", **header: Any) -> str:
    merged = {name: value for name, value in {**HEADER, **header}.items() if value is not ...}
    return jwt.PyJWS().encode(json.dumps(payload or claims()).encode(), key.key, alg, headers=merged)


def raw(header: str, payload: str, signature: bytes = b"s" * 64) -> str:
    parts = [header.encode(), payload.encode(), signature]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def refusal(token: str, *, profile: Profile = USERS, keys: Any = None) -> str:
    with pytest.raises(TokenRefused) as caught:
        verify(token, profile=profile, keys=keys or Source(KEYS))
    return caught.value.reason


def test_a_good_token_says_who_it_is_for() -> None:
    found = verify(signed(), profile=USERS, keys=Source(KEYS))
    assert (found.subject, found.session, found.roles) == ("u-1", "s-1", frozenset({"staff"}))
    assert found.scopes == {"orders:read", "orders:write"}


def test_the_issue_time_is_exact_to_the_millisecond(held: HeldClock) -> None:
    held.advance(0.789)
    found = verify(signed(), profile=USERS, keys=Source(KEYS))
    assert found.issued_at == pytest.approx(clock.now().timestamp(), abs=0.001)


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "HS256", "ES384", "RS256", "", None, 5, ["ES256"]])
def test_only_the_listed_algorithms_exist(alg: object) -> None:
    header = json.dumps({**HEADER, "alg": alg})
    source = Source(KEYS)
    assert refusal(raw(header, json.dumps(claims())), keys=source) == "alg"
    assert source.asked == []


def test_an_empty_signature_is_refused() -> None:
    head, body, _ = signed().split(".")
    assert refusal(f"{head}.{body}.") == "shape"


@pytest.mark.parametrize("form", ["pem", "der", "jwk"])
def test_the_public_key_is_no_shared_secret(form: str) -> None:
    public = JWK.key.public_key()
    secret = {
        "pem": public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(public_jwk(KEY)).encode(),
    }[form]
    signer = jwt.PyJWS()
    signing_input = raw(json.dumps({**HEADER, "alg": "HS256"}), json.dumps(claims())).rpartition(".")[0]
    mac = signer.get_algorithm_by_name("HS256").sign(signing_input.encode(), secret)
    assert refusal(f"{signing_input}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}") == "alg"


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' UNION SELECT 'k'--", "|id", "\x00", "k" * 4000, KEY["kid"].upper(), f" {KEY['kid']}"]
)
def test_a_key_id_is_compared_as_an_opaque_string(kid: str) -> None:
    assert refusal(signed(kid=kid)) == "kid"


@pytest.mark.parametrize("kid", [7, ["a"], None, {}, ""])
def test_a_key_id_is_a_string(kid: object) -> None:
    header = json.dumps({**HEADER, "kid": kid, "alg": "ES256"})
    assert refusal(raw(header, json.dumps(claims()))) == "kid"


@pytest.mark.parametrize("name", ["jku", "x5u", "x5c", "jwk", "crit", "b64"])
def test_a_token_cannot_bring_its_own_key(name: str) -> None:
    header = json.dumps({**HEADER, "alg": "ES256", name: "http://127.0.0.1:1/keys"})
    source = Source(KEYS)
    assert refusal(raw(header, json.dumps(claims())), keys=source) == "header"
    assert source.asked == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": -31}, "exp"),
        ({"nbf": 31}, "nbf"),
        ({"iat": 3600, "exp": 3700}, "iat"),
        ({"exp": 901}, "lifetime"),
        ({"exp": 0}, "lifetime"),
    ],
)
def test_times_outside_their_window_are_refused(changes: dict[str, int], reason: str) -> None:
    now = int(clock.now().timestamp())
    shifted = {name: now + seconds for name, seconds in changes.items()}
    if reason == "exp":
        shifted["iat"] = now - 900
    assert refusal(signed(claims(**shifted))) == reason


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", [..., "1767268800", 1e308, 1767268800.5, -1, True, None, 10**30, [1]])
def test_times_are_whole_seconds(name: str, value: object) -> None:
    assert refusal(signed(claims(**{name: value}))) == name


def test_leeway_allows_for_clocks_that_differ(held: HeldClock) -> None:
    token = signed()
    held.advance(timedelta(seconds=929))
    assert verify(token, profile=USERS, keys=Source(KEYS)).subject == "u-1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", "orders"),
        ("aud", ["bandstand", "evil"]),
        ("aud", ["bandstand"]),
        ("iss", "users/"),
        ("iss", "Users"),
        ("sub", 7),
        ("sub", ""),
        ("jti", ...),
        ("jti", 5),
        ("sub", ...),
        ("aud", ...),
        ("iss", ...),
        ("sid", 5),
        ("roles", "staff"),
        ("roles", [1]),
        ("scope", ["a"]),
        ("act", "u-2"),
    ],
)
def test_claims_of_another_value_or_type_are_refused(name: str, value: object) -> None:
    assert refusal(signed(claims(**{name: value}))) in (name, "sub")


@pytest.mark.parametrize("typ", ["JWT", "service+jwt", "AT+JWT", "rt+jwt", "", None])
def test_the_type_must_be_that_of_an_access_token(typ: object) -> None:
    assert refusal(raw(json.dumps({**HEADER, "alg": "ES256", "typ": typ}), json.dumps(claims()))) == "typ"


def test_a_huge_token_is_refused_before_it_is_decoded() -> None:
    started = process_time()
    assert refusal("a" * 5_000_000) == "size"
    assert refusal("a" * 3000 + "." + "b" * 3000 + "." + "c" * 3000) == "size"
    assert process_time() - started < 0.05


@pytest.mark.parametrize("parts", [1, 2, 4, 5])
def test_a_token_has_three_parts(parts: int) -> None:
    assert refusal(".".join(["YWJj"] * parts)) == "shape"


@pytest.mark.parametrize("change", ["{}=", " {}", "{}\n", "+{}", "/{}", "é{}"])
def test_a_token_has_one_spelling(change: str) -> None:
    assert refusal(change.format(signed())) in ("shape", "encoding", "json")


def test_stray_bits_at_the_end_of_a_segment_are_refused() -> None:
    head, body, signature = signed().split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = alphabet[alphabet.index(signature[-1]) ^ 1]  # 64 bytes leave four unused bits in the last character
    assert refusal(f"{head}.{body}.{signature[:-1]}{other}") == "encoding"


def test_repeated_members_are_refused() -> None:
    header = json.dumps({**HEADER, "alg": "ES256"})
    twice = json.dumps(claims())[:-1] + ',"sub":"u-2"}'
    assert refusal(raw(header, twice)) == "json"
    assert refusal(raw(header[:-1] + ',"alg":"none"}', json.dumps(claims()))) == "json"


@pytest.mark.parametrize("payload", ["[" * 5000, '{"exp": NaN}', "7", "null", '"a"', "{", '{"a":' * 900, "\udcff"])
def test_what_is_no_plain_json_object_is_refused(payload: str) -> None:
    encoded = urlsafe_b64encode(payload.encode("utf-8", "surrogateescape")).rstrip(b"=").decode()
    head = raw(json.dumps({**HEADER, "alg": "ES256"}), "{}").partition(".")[0]
    assert refusal(f"{head}.{encoded}.{'A' * 86}") in ("json", "encoding")


def test_a_signature_of_zeros_is_refused() -> None:
    assert refusal(raw(json.dumps({**HEADER, "alg": "ES256"}), json.dumps(claims()), bytes(64))) == "signature"


def test_another_key_under_the_same_id_is_refused() -> None:
    other = jwt.PyJWK.from_dict(generate_key())
    assert refusal(signed(key=other)) == "signature"


def test_eddsa_is_accepted_where_the_key_is_such_a_one() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    jwk = {**json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(private)), "kid": "ed"}
    source = Source(parse_jwks({"keys": [public_jwk(jwk)]}))
    token = jwt.PyJWS().encode(json.dumps(claims()).encode(), private, "EdDSA", headers={**HEADER, "kid": "ed"})
    assert verify(token, profile=USERS, keys=source).subject == "u-1"


def test_rsa_is_for_foreign_profiles_only() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private)), "kid": "r"}
    source = Source(parse_jwks({"keys": [public_jwk(jwk)]}))
    token = jwt.PyJWS().encode(json.dumps(claims()).encode(), private, "RS256", headers={**HEADER, "kid": "r"})
    assert refusal(token, keys=source) == "alg"
    foreign = Profile(
        typ="at+jwt", issuer="users", audience="bandstand", longest=USERS.longest, algorithms=frozenset({"RS256"})
    )
    assert verify(token, profile=foreign, keys=source).subject == "u-1"


def test_a_service_speaks_for_itself_only() -> None:
    profile = service_profile(audience="inventory")
    now = int(clock.now().timestamp())
    good = claims(iss="orders", sub="orders", aud="inventory", exp=now + 300, act={"sub": "u-1"}, sid=..., roles=...)
    found = verify(signed(good, typ="service+jwt"), profile=profile, keys=Source(KEYS))
    assert (found.subject, found.on_behalf_of) == ("orders", "u-1")
    assert refusal(signed({**good, "sub": "payments"}, typ="service+jwt"), profile=profile) == "sub"
    assert refusal(signed({**good, "exp": now + 301}, typ="service+jwt"), profile=profile) == "lifetime"


def test_every_refusal_is_quick() -> None:
    worst: Callable[[], str] = lambda: refusal(raw(json.dumps({**HEADER, "alg": "ES256"}), "[" * 5000))  # noqa: E731
    started = process_time()
    for _ in range(10):
        worst()
    assert (process_time() - started) / 10 < 0.005
