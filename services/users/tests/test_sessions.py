"""Signing in, carrying on, signing out: one answer for every failure, one successor for every refresh token."""

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from bandstand.auth import authenticate_user, revocation, revoke_session, revoked_until
from bandstand.testing.clock import HeldClock
from bandstand.testing.facts import Facts
from users import commands
from users.models import RefreshToken, Session, User

pytestmark = pytest.mark.django_db
JSON = "application/json"
PASSWORD = "four-Strings-0f-gut"


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(f"/api/v1/{path}", body, content_type=JSON)


def sign_in(client: Client, email: str = "ada@example.com", password: str = PASSWORD) -> dict[str, Any]:
    answer = post(client, "auth/token/", email=email, password=password)
    assert answer.status_code == 200, answer.content
    pair: dict[str, Any] = answer.json()
    return pair


def claims_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head, body, _ = token.split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body)]
    return decoded[0], decoded[1]


def refreshed(client: Client, token: str) -> Any:
    return post(client, "auth/token/refresh/", refresh=token)


def test_nobody_needs_to_be_signed_in_to_sign_in(client: Client, ada: User) -> None:
    pair = sign_in(client, "ADA@Example.com")
    assert set(pair) == {"access", "refresh", "token_type", "expires_in"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 900)
    answer = client.get("/api/v1/users/me/", headers={"Authorization": f"Bearer {pair['access']}"})
    assert answer.json()["id"] == str(ada.pk)


def test_the_access_token_says_what_the_contract_says_and_no_more(client: Client, ada: User) -> None:
    header, claims = claims_of(sign_in(client)["access"])
    keys = client.get("/.well-known/jwks.json").json()["keys"]
    assert (header["typ"], header["alg"]) == ("at+jwt", "ES256")
    assert header["kid"] in {key["kid"] for key in keys}
    assert set(claims) == {"iss", "aud", "sub", "sid", "roles", "scope", "jti", "iat", "exp"}
    assert (claims["iss"], claims["aud"], claims["sub"], claims["roles"]) == ("users", "bandstand", str(ada.pk), [])
    assert claims["exp"] - claims["iat"] == 900
    assert claims["sid"] == str(Session.objects.get().pk)


def test_published_keys_are_public(client: Client) -> None:
    for key in client.get("/.well-known/jwks.json").json()["keys"]:
        assert (key["kty"], "d" in key) == ("EC", False)


def test_staff_is_said_by_the_token(client: Client, ada: User) -> None:
    commands.set_staff(user_id=ada.pk, staff=True)
    assert claims_of(sign_in(client)["access"])[1]["roles"] == ["staff"]


def test_authenticate_answers_with_the_user(client: Client, ada: User) -> None:
    answer = post(client, "users/authenticate/", email="ada@example.com", password=PASSWORD).json()
    assert set(answer) == {"token", "refresh", "user"}
    assert answer["user"]["id"] == str(ada.pk)
    principal = authenticate_user(f"Bearer {answer['token']}")
    assert principal is not None
    assert principal.id == str(ada.pk)


@pytest.mark.parametrize("path", ["auth/token/", "users/authenticate/"])
def test_all_failures_get_one_answer(client: Client, join: Callable[..., User], path: str) -> None:
    for name in ("ada", "out", "gone"):
        join(name)
    commands.deactivate_user(user_id=User.objects.get(username="out").pk)
    commands.delete_user(user_id=User.objects.get(username="gone").pk)
    attempts = [
        ("ada@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("out@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("ada@example.com", PASSWORD + " "),
    ]
    answers = [post(client, path, email=email, password=password) for email, password in attempts]
    errors = [answer.json()["error"] for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert len({(error["code"], error["message"], str(error["details"])) for error in errors}) == 1
    headers = [{name for name, _ in answer.items()} for answer in answers]
    assert all(names == headers[0] for names in headers)
    assert not Session.objects.exists()


def test_an_unknown_address_costs_one_hash_as_a_known_one_does(
    client: Client, ada: User, django_assert_num_queries: Any
) -> None:
    for email in ("ada@example.com", "nobody@example.com"):
        with django_assert_num_queries(1):
            post(client, "auth/token/", email=email, password="wrong")


def test_a_refused_sign_in_is_logged_without_the_address(
    client: Client, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="users")
    post(client, "auth/token/", email="ada@example.com", password="wrong")
    record = next(record for record in caplog.records if record.message == "sign_in.refused")
    assert record.email == "ada@example.com", "the formatter turns fields of this name into a fingerprint"
    assert "ada" not in record.getMessage()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"email": 1, "password": "x"}', b'{"email": "a", "password": "x", "x": 1}']
)
def test_what_is_no_sign_in_is_refused(client: Client, body: bytes) -> None:
    assert client.post("/api/v1/auth/token/", body, content_type=JSON).status_code == 400


def test_a_refresh_token_is_spent_for_its_successor(client: Client, ada: User, time: HeldClock) -> None:
    first = sign_in(client)
    time.advance(60)
    second = refreshed(client, first["refresh"]).json()
    assert set(second) == set(first)
    assert second["refresh"] != first["refresh"]
    assert claims_of(second["access"])[1]["sid"] == claims_of(first["access"])[1]["sid"]
    time.advance(60)
    assert refreshed(client, second["refresh"]).status_code == 200


def test_a_lost_answer_is_given_again_for_ten_seconds(client: Client, ada: User, time: HeldClock) -> None:
    first = sign_in(client)["refresh"]
    answers = [refreshed(client, first)]
    for seconds in (1, 9):
        time.advance(seconds)
        answers.append(refreshed(client, first))
    assert len({answer.json()["refresh"] for answer in answers}) == 1
    assert RefreshToken.objects.count() == 2


def test_reuse_after_the_grace_ends_the_family(
    client: Client, ada: User, time: HeldClock, facts: Facts, caplog: pytest.LogCaptureFixture
) -> None:
    pair = sign_in(client)
    successor = refreshed(client, pair["refresh"]).json()["refresh"]
    time.advance(11)
    facts()
    assert refreshed(client, pair["refresh"]).status_code == 401
    assert refreshed(client, successor).status_code == 401
    assert refreshed(client, pair["refresh"]).status_code == 401
    session = str(Session.objects.get().pk)
    assert [(name, data["session"]) for name, data in facts()] == [("access_revoked.v1", session)]
    assert "session.reuse_detected" in caplog.messages


def test_reuse_ends_the_family_at_once_when_the_successor_was_used(client: Client, ada: User, time: HeldClock) -> None:
    """Whoever used the successor had the answer: it was not lost."""
    first = sign_in(client)["refresh"]
    second = refreshed(client, first).json()["refresh"]
    third = refreshed(client, second).json()["refresh"]
    assert refreshed(client, first).status_code == 401
    assert refreshed(client, third).status_code == 401


def test_other_sessions_outlive_a_family_that_ends(client: Client, ada: User, time: HeldClock) -> None:
    phone, laptop = sign_in(client)["refresh"], sign_in(client)["refresh"]
    assert post(client, "auth/token/revoke/", refresh=phone).status_code == 204
    assert [refreshed(client, token).status_code for token in (phone, laptop)] == [401, 200]


def test_signing_out_twice_or_with_nonsense_is_done(client: Client, ada: User, facts: Facts) -> None:
    token = sign_in(client)["refresh"]
    facts()
    statuses = [post(client, "auth/token/revoke/", refresh=each).status_code for each in (token, token, "nonsense")]
    assert statuses == [204, 204, 204]
    assert [name for name, _ in facts()] == ["access_revoked.v1"]


@pytest.mark.parametrize("token", ["nonsense", "a" * 256, "ünïcode", "eyJ.eyJ.x"])
def test_a_refresh_token_that_is_none_gets_the_same_answer(client: Client, token: str) -> None:
    answer = refreshed(client, token)
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "The session has ended. Sign in again.")


def test_a_session_ends_with_its_lifetime(client: Client, ada: User, time: HeldClock) -> None:
    token = sign_in(client)["refresh"]
    time.advance(30 * 86_400)
    assert refreshed(client, token).status_code == 401


def test_a_deactivated_user_cannot_carry_on(client: Client, ada: User) -> None:
    token = sign_in(client)["refresh"]
    commands.deactivate_user(user_id=ada.pk)
    assert refreshed(client, token).status_code == 401
    commands.activate_user(user_id=ada.pk)
    assert refreshed(client, token).status_code == 401, "activating opens no session that was ended"


def test_refresh_tokens_are_not_stored(client: Client, ada: User) -> None:
    token = sign_in(client)["refresh"]
    assert token not in str(list(RefreshToken.objects.values()))


def test_verify_tells_whether_a_token_would_be_accepted(client: Client, ada: User) -> None:
    pair = sign_in(client)

    def verified(token: str) -> int:
        status: int = post(client, "auth/token/verify/", token=token).status_code
        return status

    assert verified(pair["access"]) == 200
    head, body, signature = pair["access"].split(".")
    forged = f"{head}.{body}.{signature[::-1]}"
    assert [verified(token) for token in (forged, pair["refresh"], "x", "Bearer x", f" {head}")] == [401] * 5
    session = claims_of(pair["access"])[1]["sid"]
    revoke_session(session, user_id=str(ada.pk), until=revoked_until())
    revocation.refresh()  # done at commit, which a test's transaction never reaches
    assert verified(pair["access"]) == 401


def test_sessions_that_are_over_are_forgotten_in_batches(client: Client, ada: User, time: HeldClock) -> None:
    for _ in range(3):
        post(client, "auth/token/revoke/", refresh=sign_in(client)["refresh"])
    assert commands.purge_sessions(limit=10) == 0, "a day is kept for whoever looks into it"
    time.advance(86_401)
    kept = sign_in(client)["refresh"]
    assert [commands.purge_sessions(limit=2) for _ in range(3)] == [2, 1, 0]
    assert refreshed(client, kept).status_code == 200
