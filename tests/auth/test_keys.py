"""Keys in rings, in files and over the network."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest

from bandstand.auth.keys import KeyRing, TrustFile, generate_key, parse_jwks, public_jwk, thumbprint
from bandstand.auth.remote_keys import RemoteKeys
from bandstand.errors import ServiceUnavailable
from bandstand.testing.clock import held_clock


def test_a_generated_key_is_named_by_its_thumbprint() -> None:
    key = generate_key()
    assert key["kid"] == thumbprint(key) == thumbprint(public_jwk(key))


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """The example of section 3.1."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3"
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA"
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"
        "kEgU8awapJzKnqDKgw"
    )
    assert thumbprint({"kty": "RSA", "n": modulus, "e": "AQAB"}) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_what_is_published_has_no_private_part() -> None:
    ring = KeyRing.from_json(json.dumps({"keys": [generate_key(), generate_key()]}))
    assert all(set(key) == {"kty", "crv", "x", "y", "alg", "use", "kid"} for key in ring.jwks["keys"])


def test_during_a_rotation_the_first_key_signs_and_both_verify() -> None:
    old, new = generate_key(), generate_key()
    before, after = KeyRing([old, new]), KeyRing([new, old])
    kid = jwt.get_unverified_header(before.sign({}, typ="at+jwt"))["kid"]
    assert kid == old["kid"]
    assert after.find(issuer="users", kid=kid) is not None
    assert jwt.get_unverified_header(after.sign({}, typ="at+jwt"))["kid"] == new["kid"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"keys": [{}]}',
        '{"kty": "oct", "k": "c2VjcmV0", "kid": "k"}',
        json.dumps(public_jwk(generate_key())),
    ],
)
def test_an_unfit_signing_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="key") as caught:
        KeyRing.from_json(text)
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize("jwks", [None, [], {}, {"keys": "a"}, {"keys": [5]}, {"keys": [{"kty": "EC", "kid": "k"}]}])
def test_an_unfit_key_set_is_refused(jwks: object) -> None:
    with pytest.raises(ValueError, match="key"):
        parse_jwks(jwks)


def test_the_trust_file_is_read_again_when_it_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    first, second = generate_key(), generate_key()
    path.write_text(json.dumps({"orders": {"keys": [public_jwk(first)]}}))
    with held_clock() as held:
        trust = TrustFile(path)
        assert trust.find(issuer="orders", kid=first["kid"]) is not None
        assert trust.find(issuer="payments", kid=first["kid"]) is None
        _replace(path, json.dumps({"orders": {"keys": [public_jwk(second)]}}))
        held.advance(1)
        assert trust.find(issuer="orders", kid=first["kid"]) is None
        assert trust.find(issuer="orders", kid=second["kid"]) is not None


def test_a_broken_trust_file_leaves_the_last_good_keys_in_force(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    key = generate_key()
    path.write_text(json.dumps({"orders": {"keys": [public_jwk(key)]}}))
    with held_clock() as held:
        trust = TrustFile(path)
        assert trust.knows("orders")
        for broken in ("", "[]", '{"orders": 5}'):
            _replace(path, broken)
            held.advance(1)
            assert trust.find(issuer="orders", kid=key["kid"]) is not None
        path.unlink()
        held.advance(1)
        assert trust.knows("orders")


def _replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


class Issuer:
    """A server that publishes keys, counts the fetches and can be told to fail."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.fetches = 0
        self.status = 200
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                body = json.dumps({"keys": [public_jwk(key) for key in issuer.keys]}).encode()
                self.send_response(issuer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/.well-known/jwks.json"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()
    issuer.thread.join()


def test_unknown_key_ids_cause_one_fetch_in_ten_seconds(issuer: Issuer) -> None:
    key = generate_key()
    issuer.keys = [key]
    with held_clock() as held:
        remote = RemoteKeys(lambda: [issuer.url], issuer="users")
        assert remote.find(issuer="users", kid=key["kid"]) is not None
        for number in range(1000):
            assert remote.find(issuer="users", kid=f"unknown-{number}") is None
        assert issuer.fetches == 1
        held.advance(10)
        remote.find(issuer="users", kid="unknown")
        assert issuer.fetches == 2


def test_a_new_key_is_found_and_a_removed_one_forgotten(issuer: Issuer) -> None:
    old, new = generate_key(), generate_key()
    issuer.keys = [old]
    with held_clock() as held:
        remote = RemoteKeys(lambda: [issuer.url], issuer="users")
        assert remote.find(issuer="users", kid=old["kid"]) is not None
        issuer.keys = [new]
        held.advance(11)
        assert remote.find(issuer="users", kid=new["kid"]) is not None
        assert remote.find(issuer="users", kid=old["kid"]) is None


def test_known_keys_outlive_their_issuers_outage(issuer: Issuer) -> None:
    key = generate_key()
    issuer.keys = [key]
    with held_clock() as held:
        remote = RemoteKeys(lambda: ["http://127.0.0.1:1/", issuer.url], issuer="users")
        assert remote.find(issuer="users", kid=key["kid"]) is not None
        issuer.status = 500
        for _ in range(3):
            held.advance(301)
            assert remote.find(issuer="users", kid=key["kid"]) is not None
        assert issuer.fetches == 4


def test_without_any_key_yet_the_answer_is_later_not_no(issuer: Issuer) -> None:
    issuer.status = 503
    remote = RemoteKeys(lambda: [issuer.url], issuer="users")
    with pytest.raises(ServiceUnavailable):
        remote.find(issuer="users", kid="k")
    assert remote.find(issuer="somebody", kid="k") is None
